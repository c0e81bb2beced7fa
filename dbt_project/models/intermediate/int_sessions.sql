{% set host = '^[a-z]+://(www[.])?([^/:?#]+)' -%}
-- One web session: a visitor's events with no pause of `session_minutes`, or a session as told.
with totals as (
    select
        session_id,
        min(source) as source,
        -- Two people in one session on a shared device: the session is nobody's.
        case when min(customer_id) = max(customer_id) then min(customer_id) end as customer_id,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at,
        count(*) as event_count,
        count(case when type = 'page' then 1 end) as page_view_count,
        count(case when event = 'Product Viewed' then 1 end) as product_view_count,
        count(case when kind = 'search' then 1 end) as search_count,
        count(case when event = 'Product Added' then 1 end) as cart_add_count,
        max(case when kind = 'order' then 1 else 0 end) = 1 as tells_of_order,
        max(case when kind = 'sign_up' then 1 else 0 end) = 1 as has_sign_up,
        count(case when event = 'Checkout Started' then 1 end) as checkout_count,
        min(case when kind = 'order' then occurred_at end) as first_order_at
    from {{ ref('int_web_events') }}
    group by session_id
),

-- A session bears the key of its first event, which tells where the visitor came from; who comes
-- from a page of the shop itself, after a pause, came from nowhere else.
arrivals as (
    select
        totals.session_id,
        parsed.anonymous_id, parsed.utm_source, parsed.utm_medium, parsed.utm_campaign,
        case
            when {{ rx_extract('parsed.referrer', host, 2) }}
                = {{ rx_extract('parsed.page_url', host, 2) }} then null
            else parsed.referrer
        end as referrer,
        parsed.page_path, parsed.device_type
    from totals
    inner join {{ ref('int_web_events_parsed') }} as parsed
        on totals.session_id = parsed.source || ':' || parsed.message_id
),

ordered as (
    select distinct session_id
    from {{ ref('int_order_sessions') }}
)

select
    totals.session_id, totals.source, totals.customer_id, arrivals.anonymous_id,
    totals.started_at, totals.ended_at, totals.event_count, totals.page_view_count,
    totals.product_view_count, totals.search_count, totals.cart_add_count,
    totals.tells_of_order or ordered.session_id is not null as has_order,
    totals.has_sign_up, totals.checkout_count, totals.first_order_at,
    {{ business_date('totals.started_at') }} as started_on,
    case
        when arrivals.utm_source is not null then arrivals.utm_source
        when arrivals.referrer is null then 'direct'
        else coalesce({{ rx_extract('arrivals.referrer', '^[a-z]+://([^/:?#]+)', 1) }}, 'unknown')
    end as traffic_source,
    case
        when arrivals.utm_medium is not null then arrivals.utm_medium
        when arrivals.utm_source is not null then 'unknown'
        when arrivals.referrer is null then 'none'
        else 'referral'
    end as medium,
    arrivals.utm_campaign as campaign,
    arrivals.page_path as landing_path,
    arrivals.device_type,
    cast(null as varchar) as visitor_type,
    cast(null as varchar) as features
from totals
inner join arrivals on totals.session_id = arrivals.session_id
left join ordered on totals.session_id = ordered.session_id
{%- if has_entity('sessions') %}
union all
-- Sessions that their source has summed up already.
select
    delivered.source || ':session:' || delivered.session_id,
    delivered.source,
    coalesce(by_user.customer_id, by_device.customer_id),
    nullif(delivered.anonymous_id, ''),
    delivered.started_at,
    coalesce(delivered.ended_at, delivered.started_at),
    -- It began: that is one event at least.
    greatest(coalesce(delivered.event_count, delivered.page_view_count, 1), 1),
    coalesce(delivered.page_view_count, 0),
    coalesce(delivered.product_view_count, 0),
    0,
    0,
    coalesce(delivered.has_order, false),
    false,
    0,
    cast(null as timestamp),
    {{ business_date('delivered.started_at') }},
    coalesce(delivered.traffic_source, 'unknown'),
    delivered.medium,
    delivered.campaign,
    delivered.landing_path,
    delivered.device_type,
    delivered.visitor_type,
    delivered.features
from {{ entity_rows('sessions') }} as delivered
left join {{ ref('identity_map') }} as by_user
    on by_user.identifier_type = 'user_id'
    and {{ issuing_namespace('user_id', of='delivered') }} = by_user.namespace
    and delivered.user_id = by_user.identifier_value
left join {{ ref('identity_map') }} as by_device
    on by_device.identifier_type = 'anonymous_id'
    and {{ issuing_namespace('anonymous_id', of='delivered') }} = by_device.namespace
    and delivered.anonymous_id = by_device.identifier_value
{%- endif %}
