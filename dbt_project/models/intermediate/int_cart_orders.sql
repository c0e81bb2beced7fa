-- The order a cart became: the first that bears its number, or that a purchase of the same cart
-- tells of on the web (a tracker numbers carts in its own way). In a shop that writes no cart
-- number on its orders it is the customer's next order; that order is one cart's, the one begun
-- last, of each tool that tells of carts.
with carts as (
    select
        cart_id,
        min(source) as source,
        min(occurred_at) as started_at,
        case when min(customer_id) = max(customer_id) then min(customer_id) end as customer_id
    from {{ ref('int_web_events') }}
    where cart_id is not null and kind = 'cart'
    group by cart_id
),

numbered as (
    select cart_id, order_id, ordered_at
    from {{ ref('int_orders') }}
    where cart_id is not null
    union all
    select events.cart_id, orders.order_id, orders.ordered_at
    from {{ ref('int_web_events') }} as events
    inner join {{ ref('int_orders') }} as orders
        on events.namespace = orders.namespace and events.order_id = orders.source_order_id
    where events.kind = 'order' and events.cart_id is not null
),

own_orders as (
    select
        carts.cart_id,
        carts.source,
        numbered.order_id,
        numbered.ordered_at
    from carts
    inner join numbered on carts.cart_id = numbered.cart_id
    where numbered.ordered_at >= carts.started_at
),

-- Carts that no order names, beside the orders that name no cart.
candidates as (
    select
        carts.cart_id,
        orders.order_id,
        orders.ordered_at,
        row_number() over (
            partition by orders.order_id, carts.source
            order by carts.started_at desc, carts.cart_id asc
        ) as cart_rank
    from carts
    inner join {{ ref('int_orders') }} as orders on carts.customer_id = orders.customer_id
    where orders.cart_id is null
        and orders.channel in ('web', 'app')
        and orders.ordered_at >= carts.started_at
        and not exists (
            select 1
            from own_orders
            where own_orders.cart_id = carts.cart_id
        )
        and not exists (
            select 1
            from own_orders
            where own_orders.order_id = orders.order_id and own_orders.source = carts.source
        )
),

ranked as (
    select
        cart_id,
        order_id,
        ordered_at,
        row_number() over (
            partition by cart_id
            order by ordered_at asc, order_id asc
        ) as order_rank
    from (
        select cart_id, order_id, ordered_at
        from own_orders
        union all
        select cart_id, order_id, ordered_at
        from candidates
        where cart_rank = 1
    ) as found
)

select
    cart_id,
    order_id,
    ordered_at
from ranked
where order_rank = 1
