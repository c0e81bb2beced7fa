with line_totals as (
    select
        order_id,
        sum(units) as units,
        sum(line_amount) as gross_amount,
        sum(original_line_amount) as original_gross_amount
    from {{ ref('int_order_lines') }}
    group by order_id
),

refund_totals as (
    select
        order_id,
        sum(refund_amount) as refund_amount,
        sum(original_refund_amount) as original_refund_amount
    from {{ ref('int_refunds') }}
    group by order_id
)

select
    int_orders.order_id,
    int_orders.source,
    int_orders.source_order_id,
    int_orders.channel,
    known_customers.customer_id,
    int_orders.store_id,
    int_orders.cart_id,
    int_orders.coupon_code,
    int_orders.ordered_at,
    int_orders.ordered_on,
    int_orders.country,
    coalesce(places.province, stores.province, 'unknown') as province,
    int_orders.status,
    int_orders.is_completed,
    {{ money('coalesce(line_totals.units, 0)') }} as units,
    {{ money('coalesce(line_totals.gross_amount, 0)') }} as gross_amount,
    {{ money('coalesce(refund_totals.refund_amount, 0)') }} as refund_amount,
    {{ money('coalesce(line_totals.gross_amount, 0) - coalesce(refund_totals.refund_amount, 0)') }}
        as net_amount,
    int_orders.currency as original_currency,
    {{ money('coalesce(line_totals.original_gross_amount, 0)') }} as original_gross_amount,
    {{ money('coalesce(refund_totals.original_refund_amount, 0)') }} as original_refund_amount
from {{ ref('int_orders') }} as int_orders
left join line_totals on int_orders.order_id = line_totals.order_id
left join refund_totals on int_orders.order_id = refund_totals.order_id
left join {{ ref('known_customers') }} as known_customers
    on int_orders.customer_id = known_customers.customer_id
left join {{ ref('stores') }} as stores on int_orders.store_id = stores.store_id
left join {{ ref('int_places') }} as places
    on coalesce(int_orders.country, '') = places.country
    and int_orders.province = places.written_province
    and places.written_ward = ''
