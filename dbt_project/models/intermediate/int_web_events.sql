{% set most_people = identifier_rule('anonymous_id', 'holders') -%}
{% set window = identifier_rule('anonymous_id', 'window_days') * 1440 -%}
-- Web events with their session (a visitor's events with no pause of `session_minutes`) and the
-- customer behind them, and what later models ask of each event. Sessions are found on numbers and
-- times alone; owners on a session's accounts, of which there are far fewer than events. What only
-- a session's first event is asked for stays in int_web_events_parsed.
with visitors as (
    select
        source,
        visitor_key,
        min({{ issuing_namespace('user_id') }}) as user_namespace,
        min({{ issuing_namespace('anonymous_id') }}) as device_namespace,
        min(anonymous_id) as anonymous_id,
        row_number() over (order by source asc nulls last, visitor_key asc) as visitor_number
    from {{ ref('int_web_events_parsed') }}
    group by source, visitor_key
),

events as (
    select
        visitors.visitor_number,
        parsed.event_number,
        parsed.occurred_at,
        coalesce(parsed.user_id, '') as user_id
    from {{ ref('int_web_events_parsed') }} as parsed
    inner join visitors
        on parsed.source = visitors.source and parsed.visitor_key = visitors.visitor_key
),

gaps as (
    select
        *,
        lag(occurred_at) over (
            partition by visitor_number
            order by occurred_at asc nulls last
        ) as previous_at
    from events
),

starts as (
    select
        *,
        case
            when previous_at is null then 1
            when occurred_at > {{ plus_minutes('previous_at', threshold('session_minutes')) }}
                then 1
            else 0
        end as is_start
    from gaps
),

-- Events of one moment are of one session: the order among them need not be found once more.
numbered as (
    select
        *,
        sum(is_start) over (
            partition by visitor_number
            order by occurred_at asc nulls last
            range between unbounded preceding and current row
        ) as session_number
    from starts
),

stays as (
    select
        visitor_number,
        session_number,
        user_id,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at
    from numbered
    group by visitor_number, session_number, user_id
),

begun as (
    select
        visitor_number,
        session_number,
        min(started_at) as started_at
    from stays
    group by visitor_number, session_number
),

-- Of several events at a session's first moment, the one with the least key names it.
firsts as (
    select
        begun.visitor_number,
        begun.session_number,
        min(parsed.source || ':' || parsed.message_id) as session_id
    from begun
    inner join numbered
        on begun.visitor_number = numbered.visitor_number
        and begun.session_number = numbered.session_number
        and begun.started_at is not distinct from numbered.occurred_at
    inner join {{ ref('int_web_events_parsed') }} as parsed
        on numbered.event_number = parsed.event_number
    group by begun.visitor_number, begun.session_number
),

-- The account an event names, else whose device it is (a shared device is nobody's).
identified as (
    select
        stays.*,
        visitors.source,
        coalesce(by_user.customer_id, by_device.customer_id) as own_customer_id
    from stays
    inner join visitors on stays.visitor_number = visitors.visitor_number
    left join {{ ref('identity_map') }} as by_user
        on by_user.identifier_type = 'user_id'
        and visitors.user_namespace = by_user.namespace
        and stays.user_id = by_user.identifier_value
    left join {{ ref('identity_map') }} as by_device
        on by_device.identifier_type = 'anonymous_id'
        and visitors.device_namespace = by_device.namespace
        and visitors.anonymous_id = by_device.identifier_value
),

visits as (
    select
        visitor_number,
        session_number,
        -- What happened before the log-in on a shared device belongs to the one who logged in,
        -- unless two people did so within the session.
        case when min(own_customer_id) = max(own_customer_id) then min(own_customer_id) end
            as customer_id,
        count(own_customer_id) > 0 as is_named,
        min(started_at) as started_at,
        max(ended_at) as ended_at
    from identified
    group by visitor_number, session_number
),

crowds as (
    select visitor_number
    from identified
    group by visitor_number
    having count(distinct own_customer_id) > {{ most_people or 'null' }}
),

-- A device that several people use is theirs by turns, unless they are a crowd.
turns as (
    select
        visits.*,
        firsts.session_id,
        crowds.visitor_number is not null as is_crowded,
        last_value(visits.customer_id ignore nulls) over earlier as previous_customer_id,
        max(case when visits.is_named then visits.ended_at end) over earlier as previous_named_at,
        first_value(visits.customer_id ignore nulls) over later as next_customer_id,
        min(case when visits.is_named then visits.started_at end) over later as next_named_at
    from visits
    inner join firsts
        on visits.visitor_number = firsts.visitor_number
        and visits.session_number = firsts.session_number
    left join crowds on visits.visitor_number = crowds.visitor_number
    window
        earlier as (
            partition by visits.visitor_number order by visits.session_number asc
            rows between unbounded preceding and 1 preceding
        ),
        later as (
            partition by visits.visitor_number order by visits.session_number asc
            rows between 1 following and unbounded following
        )
),

-- Between two log-ins of one person, before the first log-in or after the last; between two
-- people's it is nobody's.
owners as (
    select
        visitor_number,
        session_number,
        session_id,
        case
            when is_named then customer_id
            when is_crowded then null
            when started_at > {{ plus_minutes('previous_named_at', window) }} then null
            when next_named_at > {{ plus_minutes('ended_at', window) }} then null
            when previous_customer_id <> next_customer_id then null
            else coalesce(previous_customer_id, next_customer_id)
        end as customer_id
    from turns
),

stay_owners as (
    select
        identified.visitor_number,
        identified.session_number,
        identified.user_id,
        owners.session_id,
        coalesce(identified.own_customer_id, owners.customer_id) as customer_id
    from identified
    inner join owners
        on identified.visitor_number = owners.visitor_number
        and identified.session_number = owners.session_number
),

owned as (
    select
        numbered.event_number,
        stay_owners.session_id,
        stay_owners.customer_id
    from numbered
    inner join stay_owners
        on numbered.visitor_number = stay_owners.visitor_number
        and numbered.session_number = stay_owners.session_number
        and numbered.user_id = stay_owners.user_id
)

select
    parsed.message_id, parsed.source, parsed.namespace, owned.session_id, owned.customer_id,
    parsed.occurred_at, parsed.type, parsed.event, parsed.kind, parsed.product_id,
    parsed.product_name, parsed.namespace || ':' || parsed.cart_id as cart_id, parsed.order_id,
    parsed.original_price_amount, parsed.quantity
from {{ ref('int_web_events_parsed') }} as parsed
inner join owned on parsed.event_number = owned.event_number
