{% set most_people = identifier_rule('anonymous_id', 'holders') -%}
{% set window = identifier_rule('anonymous_id', 'window_days') * 86400 -%}
-- Web events with their session (a visitor's events with no pause of `session_minutes`) and the
-- customer behind them. Sessions and owners are found on the few columns that tell of them; what
-- else an event says is joined at the end.
with events as (
    select source, namespace, visitor_key, message_id, occurred_at, user_id, anonymous_id
    from {{ ref('int_web_events_parsed') }}
),

gaps as (
    select
        *,
        lag(occurred_at) over (
            partition by source, visitor_key
            order by occurred_at asc nulls last, message_id asc
        ) as previous_at
    from events
),

starts as (
    select
        *,
        case
            when previous_at is null then 1
            when {{ seconds_between('previous_at', 'occurred_at') }}
                > {{ threshold('session_minutes') * 60 }} then 1
            else 0
        end as is_start
    from gaps
),

numbered as (
    select
        *,
        sum(is_start) over (
            partition by source, visitor_key
            order by occurred_at asc nulls last, message_id asc
            rows between unbounded preceding and current row
        ) as session_number
    from starts
),

-- The account an event names, else whose device it is (a shared device is nobody's).
identified as (
    select
        numbered.*,
        coalesce(by_user.customer_id, by_device.customer_id) as own_customer_id
    from numbered
    left join {{ ref('identity_map') }} as by_user
        on by_user.identifier_type = 'user_id'
        and numbered.namespace = by_user.namespace
        and numbered.user_id = by_user.identifier_value
    left join {{ ref('identity_map') }} as by_device
        on by_device.identifier_type = 'anonymous_id'
        and numbered.namespace = by_device.namespace
        and numbered.anonymous_id = by_device.identifier_value
),

visits as (
    select
        source,
        visitor_key,
        session_number,
        -- What happened before the log-in on a shared device belongs to the one who logged in,
        -- unless two people did so within the session.
        case when min(own_customer_id) = max(own_customer_id) then min(own_customer_id) end
            as customer_id,
        count(own_customer_id) > 0 as is_named,
        max(case when is_start = 1 then message_id end) as first_message_id,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at
    from identified
    group by source, visitor_key, session_number
),

crowds as (
    select
        source,
        visitor_key
    from identified
    group by source, visitor_key
    having count(distinct own_customer_id) > {{ most_people or 'null' }}
),

-- A device that several people use is theirs by turns, unless they are a crowd.
turns as (
    select
        visits.*,
        crowds.visitor_key is not null as is_crowded,
        last_value(visits.customer_id ignore nulls) over earlier as previous_customer_id,
        max(case when visits.is_named then visits.ended_at end) over earlier as previous_named_at,
        first_value(visits.customer_id ignore nulls) over later as next_customer_id,
        min(case when visits.is_named then visits.started_at end) over later as next_named_at
    from visits
    left join crowds
        on visits.source = crowds.source and visits.visitor_key = crowds.visitor_key
    window
        earlier as (
            partition by visits.source, visits.visitor_key
            order by visits.session_number asc
            rows between unbounded preceding and 1 preceding
        ),
        later as (
            partition by visits.source, visits.visitor_key
            order by visits.session_number asc
            rows between 1 following and unbounded following
        )
),

-- Between two log-ins of one person, before the first log-in or after the last; between two
-- people's it is nobody's.
owners as (
    select
        source,
        visitor_key,
        session_number,
        first_message_id,
        case
            when is_named then customer_id
            when is_crowded then null
            when {{ seconds_between('previous_named_at', 'started_at') }} > {{ window }} then null
            when {{ seconds_between('ended_at', 'next_named_at') }} > {{ window }} then null
            when previous_customer_id <> next_customer_id then null
            else coalesce(previous_customer_id, next_customer_id)
        end as customer_id
    from turns
),

owned as (
    select
        identified.source,
        identified.message_id,
        owners.first_message_id,
        coalesce(identified.own_customer_id, owners.customer_id) as customer_id
    from identified
    inner join owners
        on identified.source = owners.source
        and identified.visitor_key = owners.visitor_key
        and identified.session_number = owners.session_number
)

select
    parsed.source || ':' || parsed.message_id as web_event_id,
    parsed.message_id,
    parsed.source,
    parsed.namespace,
    parsed.source || ':' || owned.first_message_id as session_id,
    owned.customer_id,
    parsed.visitor_key,
    parsed.anonymous_id,
    parsed.user_id,
    parsed.occurred_at,
    {{ business_date('parsed.occurred_at') }} as occurred_on,
    parsed.type,
    parsed.event,
    parsed.kind,
    parsed.product_id,
    parsed.product_name,
    parsed.category,
    parsed.cart_id,
    parsed.order_id,
    parsed.search_text,
    parsed.original_price_amount,
    parsed.quantity,
    parsed.original_total_amount,
    parsed.page_path,
    parsed.referrer,
    parsed.utm_source,
    parsed.utm_medium,
    parsed.utm_campaign,
    parsed.device_id,
    parsed.device_type,
    parsed.locale
from {{ ref('int_web_events_parsed') }} as parsed
inner join owned
    on parsed.source = owned.source
    and parsed.message_id = owned.message_id
