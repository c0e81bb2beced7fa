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

-- An order number that two shops use names nobody.
shop_orders as (
    select
        source_order_id,
        max(user_id) as user_id,
        max(email) as email,
        max(phone) as phone,
        max(namespace) as namespace
    from {{ ref('int_source_orders') }}
    group by source_order_id
    having count(*) = 1
)

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
where events.anonymous_id is not null
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
