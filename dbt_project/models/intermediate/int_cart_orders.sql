-- The order a cart became: its own, else, in a shop that writes no cart number on its orders, the
-- customer's first order after the cart was begun.
with carts as (
    select
        cart_id,
        min(occurred_at) as started_at,
        case when min(customer_id) = max(customer_id) then min(customer_id) end as customer_id
    from {{ ref('int_web_events') }}
    where cart_id is not null and kind = 'cart'
    group by cart_id
),

own_orders as (
    select
        carts.cart_id,
        orders.order_id,
        orders.ordered_at,
        1 as preference
    from carts
    inner join {{ ref('int_orders') }} as orders on carts.cart_id = orders.cart_id
    where orders.ordered_at >= carts.started_at
),

customer_orders as (
    select
        carts.cart_id,
        orders.order_id,
        orders.ordered_at,
        2 as preference
    from carts
    inner join {{ ref('int_orders') }} as orders on carts.customer_id = orders.customer_id
    where orders.cart_id is null
        and orders.channel in ('web', 'app')
        and orders.ordered_at >= carts.started_at
),

ranked as (
    select
        cart_id,
        order_id,
        ordered_at,
        row_number() over (
            partition by cart_id
            order by preference asc, ordered_at asc, order_id asc
        ) as order_rank
    from (
        select * from own_orders
        union all
        select * from customer_orders
    ) as candidates
)

select
    cart_id,
    order_id,
    ordered_at
from ranked
where order_rank = 1
