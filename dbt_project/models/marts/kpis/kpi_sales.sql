-- Entities of the Sales KPIs: completed orders on the day they were placed, and refunds of
-- completed orders on the day they were paid out (with their order's slices).
{{ config(schema='intermediate') }}

with completed as (
    select
        orders.order_id,
        orders.ordered_on,
        orders.customer_id,
        orders.units,
        orders.gross_amount,
        orders.refund_amount,
        orders.channel,
        orders.store_id as store,
        orders.province,
        orders.country,
        customers.generation,
        customers.age_band,
        customers.gender
    from {{ ref('orders') }} as orders
    left join {{ ref('customers') }} as customers on orders.customer_id = customers.customer_id
    where orders.is_completed
)

select
    completed.ordered_on as on_date,
    completed.order_id,
    completed.customer_id,
    completed.units,
    completed.gross_amount,
    completed.refund_amount as refund_by_order_day,
    {{ money('0') }} as refund_by_refund_day,
    completed.channel, completed.store, completed.province, completed.country,
    completed.generation, completed.age_band, completed.gender
from completed
union all
select
    refunds.refunded_on as on_date,
    cast(null as varchar) as order_id,
    cast(null as varchar) as customer_id,
    {{ money('0') }} as units,
    {{ money('0') }} as gross_amount,
    {{ money('0') }} as refund_by_order_day,
    refunds.refund_amount as refund_by_refund_day,
    completed.channel, completed.store, completed.province, completed.country,
    completed.generation, completed.age_band, completed.gender
from {{ ref('refunds') }} as refunds
inner join completed on refunds.order_id = completed.order_id
where refunds.refunded_on is not null
