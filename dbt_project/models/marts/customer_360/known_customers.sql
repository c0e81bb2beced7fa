-- Who counts as a customer: a person we could recognise again. A cluster of anonymous or device
-- ids alone is a visit history, not a person, and its sessions and carts stay without customer.
{{ config(schema='intermediate') }}

select
    customer_id,
    min(first_seen_at) as first_seen_at
from {{ ref('customer_identifiers') }}
group by customer_id
having max(
        case
            when identifier_type in ('user_id', 'member_number', 'external_id', 'email', 'phone')
                then 1
            else 0
        end
    ) = 1
