-- The road of a customer, touch by touch. Sends and deliveries are no step of the customer's.
with steps as (
    select
        customer_id, interaction_id, kind, occurred_at,
        row_number() over (
            partition by customer_id order by occurred_at asc, interaction_id asc
        ) as step_number,
        lag(occurred_at) over (
            partition by customer_id order by occurred_at asc, interaction_id asc
        ) as previous_at
    from {{ ref('interactions') }}
    where customer_id is not null and initiated_by = 'customer' and occurred_at is not null
)

select
    customer_id,
    cast(step_number as integer) as step_number,
    interaction_id,
    case
        when kind in ('visit', 'open', 'click') then 'awareness'
        when kind in ('view', 'search') then 'consideration'
        when kind = 'cart' then 'intent'
        when kind = 'order' then 'purchase'
        when kind in ('review', 'referral') then 'advocacy'
        else 'service'
    end as stage,
    cast({{ seconds_between('previous_at', 'occurred_at') }} / 3600.0 as decimal(18, 4))
        as hours_since_previous
from steps
