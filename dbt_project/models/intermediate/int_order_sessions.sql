{{ config(materialized='view') }}
-- The web session in which an order was placed: the one whose events tell of it; where its event
-- was lost (an ad blocker, a closed tab), the one that touched its cart last.
with candidates as (
    select
        orders.order_id,
        events.session_id,
        1 as preference,
        events.occurred_at,
        events.message_id
    from {{ ref('int_web_events') }} as events
    inner join {{ ref('int_orders') }} as orders
        on events.namespace = orders.namespace and events.order_id = orders.source_order_id
    where events.kind = 'order'
    union all
    select
        orders.order_id,
        events.session_id,
        2 as preference,
        events.occurred_at,
        events.message_id
    from {{ ref('int_web_events') }} as events
    inner join {{ ref('int_orders') }} as orders on events.cart_id = orders.cart_id
    where events.occurred_at
        between {{ plus_minutes('orders.ordered_at', -threshold('session_minutes')) }}
        and {{ plus_minutes('orders.ordered_at', threshold('session_minutes')) }}
),

ranked as (
    select
        order_id,
        session_id,
        row_number() over (
            partition by order_id
            order by
                preference asc,
                -- Who opens the page of thanks again orders nothing more.
                case when preference = 1 then occurred_at end asc nulls last,
                occurred_at desc nulls last, message_id asc
        ) as session_rank
    from candidates
)

select
    order_id,
    session_id
from ranked
where session_rank = 1
