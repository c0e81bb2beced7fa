-- The last cart of a customer, what was in it, and whether an order followed.
{{ config(schema='intermediate') }}

with filled_carts as (
    select
        *,
        row_number() over (
            partition by customer_id order by last_activity_at desc, cart_id asc
        ) as recency_rank
    from {{ ref('carts') }}
    where customer_id is not null and item_count > 0
),

later_orders as (
    select filled_carts.customer_id, count(orders.order_id) as orders_since_cart
    from filled_carts
    inner join {{ ref('orders') }} as orders
        on filled_carts.customer_id = orders.customer_id
        and orders.status <> 'cancelled'
        and (
            filled_carts.last_activity_at <= orders.ordered_at
            or filled_carts.cart_id = orders.cart_id
        )
    where filled_carts.recency_rank = 1
    group by filled_carts.customer_id
),

abandonments as (
    select customer_id, count(*) as carts_abandoned_3d
    from filled_carts
    where is_abandoned
        and last_activity_at >= {{ plus_minutes(as_of_at(), -3 * 24 * 60) }}
    group by customer_id
)

select
    filled_carts.customer_id,
    filled_carts.last_activity_at as last_cart_at,
    coalesce(products.product_name, filled_carts.last_product_name) as last_cart_item,
    coalesce(abandonments.carts_abandoned_3d, 0) as carts_abandoned_3d,
    coalesce(later_orders.orders_since_cart, 0) as orders_since_cart
from filled_carts
left join {{ ref('products') }} as products
    on filled_carts.last_product_id = products.product_id
left join later_orders on filled_carts.customer_id = later_orders.customer_id
left join abandonments on filled_carts.customer_id = abandonments.customer_id
where filled_carts.recency_rank = 1
