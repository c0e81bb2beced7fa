{{ config(materialized='view') }}

-- Which identifiers a web event shows together, one row per event and pair it testifies to.
with events as (
    select
        source,
        namespace,
        message_id,
        occurred_at,
        nullif(anonymous_id, '') as anonymous_id,
        nullif(user_id, '') as user_id,
        case when type = 'alias' then nullif(previous_id, '') end as previous_id,
        trait_email as email,
        trait_phone as phone,
        case when event = 'Order Completed' then order_id end as order_id
    from {{ web_event_rows() }} as delivered
    where {{ had_happened('occurred_at') }}
),

-- A web event tells of the order in its own namespace. Where that delivers no orders, of the one
-- that has this number: a number that two shops use names nobody, and a till's is no web order.
shop_orders as (
    select
        source_order_id,
        namespace,
        user_id,
        email,
        phone,
        channel = 'store' or count(*) over (partition by source_order_id) > 1 as is_own_only
    from {{ ref('int_source_orders') }}
),

shops as (select distinct namespace from {{ ref('int_source_orders') }})

select
    source,
    namespace,
    message_id,
    occurred_at,
    anonymous_id,
    user_id,
    email,
    phone
from events
where anonymous_id is not null or user_id is not null or email is not null or phone is not null
union all
select
    source,
    namespace,
    message_id,
    occurred_at,
    previous_id,
    user_id,
    null,
    null
from events
where previous_id is not null
union all
-- A guest is known by the order: the visit that completed it belongs to its e-mail and phone.
select
    events.source,
    events.namespace,
    events.message_id,
    events.occurred_at,
    events.anonymous_id,
    case when shop_orders.namespace = events.namespace then shop_orders.user_id end,
    shop_orders.email,
    shop_orders.phone
from events
inner join shop_orders on events.order_id = shop_orders.source_order_id
left join shops on events.namespace = shops.namespace
where events.anonymous_id is not null
    and (
        events.namespace = shop_orders.namespace
        or (shops.namespace is null and not shop_orders.is_own_only)
    )
{%- if has_entity('sessions') %}
union all
select
    source,
    namespace,
    'session:' || session_id,
    started_at,
    nullif(anonymous_id, ''),
    nullif(user_id, ''),
    null,
    null
from {{ entity_rows('sessions') }} as sessions
where anonymous_id <> '' or user_id <> ''
{%- endif %}
