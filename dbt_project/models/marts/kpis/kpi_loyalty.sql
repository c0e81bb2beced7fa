-- Entities of the repurchase KPIs: completed orders of known customers, each with what came before
-- and, on the first order day, the day of the second.
{{ config(schema='intermediate') }}

with completed as (
    select order_id, customer_id, ordered_at, ordered_on, channel, store_id, province, country
    from {{ ref('orders') }}
    where is_completed and customer_id is not null
),

order_days as (
    select
        customer_id,
        ordered_on,
        lag(ordered_on) over (partition by customer_id order by ordered_on asc)
            as previous_ordered_on,
        lead(ordered_on) over (partition by customer_id order by ordered_on asc) as next_ordered_on
    from (select distinct customer_id, ordered_on from completed) as days
),

numbered as (
    select
        *,
        min(ordered_at) over (partition by customer_id) as first_ordered_at,
        row_number() over (partition by customer_id order by ordered_at asc, order_id asc)
            as order_number
    from completed
)

select
    numbered.ordered_on as on_date,
    numbered.customer_id,
    order_days.previous_ordered_on,
    numbered.ordered_at > numbered.first_ordered_at as is_returning,
    numbered.order_number = 1 as is_first_order,
    case
        when numbered.order_number = 1
            then {{ days_between('numbered.ordered_on', 'order_days.next_ordered_on') }}
    end as days_to_second,
    numbered.channel,
    numbered.store_id as store,
    numbered.province,
    numbered.country,
    customers.generation,
    customers.age_band,
    customers.gender
from numbered
inner join order_days
    on numbered.customer_id = order_days.customer_id
    and numbered.ordered_on = order_days.ordered_on
inner join {{ ref('customers') }} as customers on numbered.customer_id = customers.customer_id
