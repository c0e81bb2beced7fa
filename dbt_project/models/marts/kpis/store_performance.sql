-- Each store and each other channel of sale per month. A customer of several stores counts in each:
-- customers do not add up, orders and money do.
with sold as (
    select
        orders.order_id,
        orders.channel,
        orders.store_id,
        orders.customer_id,
        orders.units,
        orders.gross_amount,
        orders.refund_amount,
        orders.ordered_at = min(orders.ordered_at) over (partition by orders.customer_id)
        and orders.customer_id is not null as is_first_order,
        cast({{ dbt.date_trunc('month', 'orders.ordered_on') }} as date) as month_start
    from {{ ref('orders') }} as orders
    where orders.is_completed
)

select
    sold.month_start,
    sold.channel,
    {{ or_unknown('sold.store_id') }} as store_id,
    max(stores.store_name) as store_name,
    coalesce(max(stores.province), 'unknown') as province,
    cast(count(*) as integer) as order_count,
    cast(count(distinct sold.customer_id) as integer) as customer_count,
    cast(count(distinct case when sold.is_first_order then sold.customer_id end) as integer)
        as new_customer_count,
    cast(count(case when sold.customer_id is null then 1 end) as integer) as unknown_order_count,
    {{ money('sum(sold.units)') }} as units,
    {{ money('sum(sold.gross_amount)') }} as gross_revenue_amount,
    {{ money('sum(sold.refund_amount)') }} as refund_amount,
    {{ money('sum(sold.gross_amount - sold.refund_amount)') }} as net_revenue_amount,
    {{ money('sum(sold.gross_amount) / count(*)') }} as average_order_amount
from sold
left join {{ ref('stores') }} as stores on sold.store_id = stores.store_id
group by sold.month_start, sold.channel, {{ or_unknown('sold.store_id') }}
