-- Entities of the repurchase KPIs: completed orders of known customers. An order says which
-- customers a slice speaks of; what came before and after is the customer's on all channels.
{{ config(schema='intermediate') }}

with completed as (
    select
        orders.order_id, orders.ordered_at, orders.ordered_on, orders.channel,
        orders.store_id as store, orders.province, orders.country,
        customers.is_referred,
        {{ business_date('customers.loyalty_enrolled_at') }} as enrolled_on,
        {{ customer_slices() }}
    from {{ ref('orders') }} as orders
    inner join {{ ref('kpi_customers') }} as customers on orders.customer_id = customers.customer_id
    where orders.is_completed
),

order_days as (
    select
        customer_number,
        ordered_on,
        lag(ordered_on) over (partition by customer_number order by ordered_on asc)
            as previous_ordered_on,
        lead(ordered_on) over (partition by customer_number order by ordered_on asc)
            as next_ordered_on
    from (select distinct customer_number, ordered_on from completed) as days
),

numbered as (
    select
        *,
        min(ordered_at) over (partition by customer_number) as first_ordered_at,
        row_number() over (partition by customer_number order by ordered_at asc, order_id asc)
            as order_number
    from completed
),

-- The first order that lies after the first: who has it by a period's end is a returning customer.
seconds as (
    select customer_number, min(ordered_on) as second_ordered_on
    from numbered
    where ordered_at > first_ordered_at
    group by customer_number
)

select
    numbered.ordered_on as on_date,
    numbered.customer_number,
    order_days.previous_ordered_on,
    order_days.next_ordered_on,
    seconds.second_ordered_on,
    numbered.order_number = 1 as is_first_order,
    case
        when numbered.order_number = 1
            then {{ days_between('numbered.ordered_on', 'seconds.second_ordered_on') }}
    end as days_to_second,
    numbered.is_referred,
    numbered.enrolled_on,
    numbered.channel,
    numbered.store,
    numbered.province,
    numbered.country,
    numbered.generation,
    numbered.age_band,
    numbered.gender
from numbered
inner join order_days
    on numbered.customer_number = order_days.customer_number
    and numbered.ordered_on = order_days.ordered_on
left join seconds on numbered.customer_number = seconds.customer_number
