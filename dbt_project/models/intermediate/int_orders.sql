-- One canonical order, any channel, with the customer it belongs to.
select
    orders.order_id,
    orders.source,
    orders.namespace,
    orders.source_order_id,
    orders.channel,
    record_customers.customer_id,
    orders.store_id,
    orders.cart_id,
    orders.coupon_code,
    orders.ordered_at,
    {{ business_date('orders.ordered_at') }} as ordered_on,
    orders.country,
    orders.province,
    orders.status,
    coalesce(order_statuses.is_completed, false) as is_completed,
    orders.currency,
    orders.updated_at,
    orders.is_from_lines
from {{ ref('int_source_orders') }} as orders
left join {{ ref('int_record_customers') }} as record_customers
    on orders.source = record_customers.source
    and record_customers.record_kind = 'orders'
    and orders.source_order_id = record_customers.record_id
left join {{ ref('order_statuses') }} as order_statuses
    on orders.status = order_statuses.status
