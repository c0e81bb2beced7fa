-- Who counts as a customer: a person we could recognise again. A cluster of anonymous or device
-- ids alone is a visit history, not a person, and its sessions and carts stay without customer.
{{ config(schema='intermediate') }}

select
    identity_map.customer_id,
    min(nodes.first_seen_at) as first_seen_at,
    min(
        case
            when identity_map.identifier_type not in ('anonymous_id', 'device_id')
                then nodes.first_seen_at
        end
    ) as identified_at
from {{ ref('identity_map') }} as identity_map
left join {{ ref('identity_nodes') }} as nodes
    on identity_map.identifier_type = nodes.identifier_type
    and identity_map.namespace = nodes.namespace
    and identity_map.identifier_value = nodes.identifier_value
group by identity_map.customer_id
having max(
        case when identity_map.identifier_type in ('anonymous_id', 'device_id') then 0 else 1 end
    ) = 1
