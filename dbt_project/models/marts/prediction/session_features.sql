{{ config(materialized='view') }}
-- What was known of a web session before it ordered, and whether it did: the one definition of the
-- features of purchase intent. Whose session it is takes no part, since many are only known by
-- their order. Sessions that a source has summed up bring its own figures in `features`.
{% set counts = {
    'event_count': '1',
    'page_view_count': "case when events.type = 'page' then 1 else 0 end",
    'product_view_count': "case when events.event = 'Product Viewed' then 1 else 0 end",
    'search_count': "case when events.kind = 'search' then 1 else 0 end",
    'cart_add_count': "case when events.event = 'Product Added' then 1 else 0 end",
    'checkout_count': "case when events.event = 'Checkout Started' then 1 else 0 end",
} -%}
with before_order as (
    select
        events.session_id,
        {%- for name, expression in counts.items() %}
        sum({{ expression }}) as {{ name }},
        {%- endfor %}
        max(events.occurred_at) as ended_at
    from {{ ref('int_web_events') }} as events
    inner join {{ ref('int_sessions') }} as sessions on events.session_id = sessions.session_id
    where events.occurred_at < sessions.first_order_at
    group by events.session_id
),

numbered as (
    select
        session_id,
        row_number() over (
            partition by source, anonymous_id
            order by started_at asc nulls last, session_id asc
        ) - 1 as earlier_session_count
    from {{ ref('int_sessions') }}
    where anonymous_id is not null
)

select
    sessions.session_id,
    sessions.started_at,
    sessions.has_order,
    sessions.features,
    {%- for name in counts %}
    cast(
        case
            when sessions.first_order_at is null then sessions.{{ name }}
            else coalesce(before_order.{{ name }}, 0)
        end as double
    ) as {{ name }},
    {%- endfor %}
    cast(
        case
            when sessions.first_order_at is null
                then {{ seconds_between('sessions.started_at', 'sessions.ended_at') }}
            else coalesce({{ seconds_between('sessions.started_at', 'before_order.ended_at') }}, 0)
        end as double
    ) as duration_seconds,
    cast(numbered.earlier_session_count as double) as earlier_session_count,
    cast({{ business_hour('sessions.started_at') }} as double) as started_hour,
    cast({{ iso_dow('sessions.started_on') }} as double) as started_weekday,
    sessions.source,
    sessions.traffic_source,
    sessions.medium,
    sessions.device_type,
    sessions.visitor_type
from {{ ref('int_sessions') }} as sessions
left join numbered on sessions.session_id = numbered.session_id
left join before_order on sessions.session_id = before_order.session_id
