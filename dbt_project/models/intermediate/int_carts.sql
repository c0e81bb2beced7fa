-- One web cart that somebody filled or looked at. It is abandoned when it holds an item and no
-- order follows within `abandoned_cart_minutes` of its last activity. A customer who comes back
-- days later and buys touches the cart again before ordering: the pause before that return is the
-- abandonment, so "last activity" is the last one before the visit that ordered.
with touches as (
    select
        cart_id,
        source,
        message_id,
        occurred_at,
        customer_id,
        case when event = 'Product Added' then product_id end as added_product_id,
        case when event = 'Product Added' then product_name end as added_product_name,
        case
            when event = 'Product Added' then coalesce(quantity, 1)
            when event = 'Product Removed' then -coalesce(quantity, 1)
            else 0
        end as item_change,
        cast(coalesce(original_price_amount, 0) as decimal(38, 4)) as price
    from {{ ref('int_web_events') }}
    where cart_id is not null and kind = 'cart'
),

carts as (
    select
        cart_id,
        min(source) as source,
        min(occurred_at) as started_at,
        -- A cart that two customers touched is nobody's.
        case when min(customer_id) = max(customer_id) then min(customer_id) end as customer_id
    from touches
    group by cart_id
),

-- The state of the cart at each touch before its order, and how long nothing followed.
states as (
    select
        touches.cart_id,
        touches.message_id,
        touches.occurred_at,
        orders.order_id,
        orders.ordered_at,
        -- What was taken out may have been put in where nobody counted, at another price.
        greatest(sum(touches.item_change) over so_far, 0) as item_count,
        greatest(sum(touches.item_change * touches.price) over so_far, 0) as original_amount,
        sum(touches.item_change) over (partition by touches.cart_id) as last_item_count,
        coalesce(lead(touches.occurred_at) over in_order, orders.ordered_at, {{ as_of_at() }})
            as followed_at
    from touches
    left join {{ ref('int_cart_orders') }} as orders on touches.cart_id = orders.cart_id
    where orders.ordered_at is null or touches.occurred_at <= orders.ordered_at
    window
        in_order as (
            partition by touches.cart_id
            order by touches.occurred_at asc nulls last, touches.message_id asc
        ),
        so_far as (
            partition by touches.cart_id
            order by touches.occurred_at asc nulls last, touches.message_id asc
            rows between unbounded preceding and current row
        )
),

ranked as (
    select
        *,
        item_count >= 1
        -- Who came back and emptied it has left nothing.
        and (order_id is not null or last_item_count >= 1)
        and followed_at > {{ plus_minutes('occurred_at', threshold('abandoned_cart_minutes')) }}
            as is_left
    from states
),

last_states as (
    select
        *,
        row_number() over (
            partition by cart_id
            order by is_left desc, occurred_at desc nulls last, message_id desc
        ) as recency
    from ranked
),

last_items as (
    select
        cart_id,
        added_product_id,
        added_product_name,
        row_number() over (
            partition by cart_id order by occurred_at desc nulls last, message_id desc
        ) as recency
    from touches
    where added_product_id is not null
)

select
    carts.cart_id,
    carts.source,
    carts.customer_id,
    carts.started_at,
    last_states.occurred_at as last_activity_at,
    cast(last_states.item_count as integer) as item_count,
    {{ converted('last_states.original_amount', 'rates.rate') }} as cart_amount,
    last_items.added_product_id as last_product_id,
    last_items.added_product_name as last_product_name,
    last_states.is_left as is_abandoned,
    last_states.order_id,
    last_states.ordered_at,
    coalesce(
        last_states.is_left
        and last_states.ordered_at
        <= {{ plus_minutes('last_states.occurred_at', threshold('cart_recovery_days') * 1440) }},
        false
    ) as is_recovered
from carts
inner join last_states on carts.cart_id = last_states.cart_id and last_states.recency = 1
inner join {{ ref('int_sources') }} as sources on carts.source = sources.source
left join last_items on carts.cart_id = last_items.cart_id and last_items.recency = 1
left join {{ ref('int_exchange_rates') }} as rates
    on sources.currency = rates.currency
    and {{ business_date('carts.started_at') }} >= rates.valid_from
    and {{ business_date('carts.started_at') }} < rates.valid_to
