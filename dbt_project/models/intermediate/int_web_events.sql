{% set most_people = identifier_rule('anonymous_id', 'holders') -%}
{% set window = identifier_rule('anonymous_id', 'window_days') * 86400 -%}
-- Web events with their session (a visitor's events with no pause of `session_minutes`) and the
-- customer behind them.
with gaps as (
    select
        *,
        lag(occurred_at) over (
            partition by source, visitor_key
            order by occurred_at asc nulls last, message_id asc
        ) as previous_at
    from {{ ref('int_web_events_parsed') }}
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

sessions as (
    select
        identified.*,
        owners.customer_id as session_customer_id,
        first_value(identified.message_id) over (
            partition by identified.source, identified.visitor_key, identified.session_number
            order by identified.occurred_at asc nulls last, identified.message_id asc
        ) as first_message_id
    from identified
    inner join owners
        on identified.source = owners.source
        and identified.visitor_key = owners.visitor_key
        and identified.session_number = owners.session_number
)

select
    source || ':' || message_id as web_event_id,
    message_id,
    source,
    namespace,
    source || ':' || first_message_id as session_id,
    coalesce(own_customer_id, session_customer_id) as customer_id,
    visitor_key,
    anonymous_id,
    user_id,
    occurred_at,
    {{ business_date('occurred_at') }} as occurred_on,
    type,
    event,
    kind,
    product_id,
    product_name,
    category,
    cart_id,
    order_id,
    search_text,
    original_price_amount,
    quantity,
    original_total_amount,
    page_path,
    referrer,
    utm_source,
    utm_medium,
    utm_campaign,
    device_id,
    device_type,
    locale
from sessions
