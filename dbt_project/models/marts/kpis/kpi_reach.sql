-- Entities of the reachable share: changes of who can be reached, so that their sums are who can at
-- a period's end. Somebody is reached on a channel and for a purpose with a valid identifier of the
-- channel while the latest word grants it; on a channel, for a purpose, or at all while that holds
-- for one such pair at least. `level` says which slice a row counts in.
{{ config(schema='intermediate') }}
{% set levels = {
    'customer': "'all'", 'channel': 'channel', 'purpose': 'purpose',
    'channel_purpose': "channel || ':' || purpose",
} %}

with people as (select * from {{ ref('customer_reach_days') }}),

-- What each channel needs, as audiences do (activation/identifiers.py).
reached as (
    select
        people.customer_number, people.known_on, events.channel, events.purpose,
        events.is_granted, events.occurred_at,
        case
            when events.channel = 'email' then people.email_on
            when events.channel in ('sms', 'zalo', 'phone') then people.phone_on
            when events.channel = 'push' then people.account_on
            when events.channel = 'ads'
                then least(
                        coalesce(people.email_on, people.phone_on),
                        coalesce(people.phone_on, people.email_on)
                    )
        end as reached_on
    from {{ ref('int_consent_events') }} as events
    inner join people on events.customer_id = people.customer_id
),

-- No word counts before the person and the identifier were known.
words as (
    select
        customer_number, channel, purpose, is_granted, occurred_at,
        greatest(
            known_on,
            reached_on,
            coalesce({{ business_date('occurred_at') }}, known_on)
        ) as on_date
    from reached
    where reached_on is not null
),

daily as (
    select
        customer_number, channel, purpose, on_date,
        max(case when is_granted then occurred_at end) as granted_at,
        max(case when not is_granted then occurred_at end) as refused_at,
        max(case when not is_granted and occurred_at is null then 1 else 0 end) as is_refused
    from words
    group by customer_number, channel, purpose, on_date
),

-- The day's latest word; of two at one time the refusal.
last_words as (
    select
        customer_number, channel, purpose, on_date, is_refused,
        case when refused_at is null or granted_at > refused_at then 1 else 0 end as is_granted
    from daily
),

changes as (
    select
        customer_number, channel, purpose, on_date,
        is_granted - coalesce(lag(is_granted) over (
            partition by customer_number, channel, purpose order by on_date asc
        ), 0) as change,
        -- A refusal of unknown time is the latest word of all.
        max(is_refused) over (partition by customer_number, channel, purpose) as is_refused
    from last_words
),

levelled as (
    {% for level, value in levels.items() -%}
    select
        '{{ level }}' as level, {{ value }} as level_value, customer_number, on_date,
        sum(change) as change
    from changes
    where change <> 0 and is_refused = 0
    group by {{ '' if level == 'customer' else value ~ ', ' }}customer_number, on_date
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

running as (
    select
        *,
        sum(change) over (
            partition by level, level_value, customer_number order by on_date asc
            rows between unbounded preceding and current row
        ) as pairs
    from levelled
),

moves as (
    select
        level, level_value, customer_number, on_date,
        case when pairs > 0 then 1 else -1 end as reachable_change
    from running
    where (pairs > 0 and pairs = change) or (pairs = 0 and change < 0)
),

held as (
    select distinct level, level_value from moves
    where level <> 'customer'
),

known as (
    select known_on, count(*) as customers from people
    group by known_on
),

-- All customers stand below, whatever the channel and purpose.
arrivals as (
    select
        'customer' as level, 'all' as level_value, customer_number, known_on as on_date,
        1 as customer_change
    from people
    union all
    select held.level, held.level_value, null, known.known_on, known.customers
    from held
    cross join known
),

entities as (
    select level, level_value, customer_number, on_date, reachable_change, 0 as customer_change
    from moves
    union all
    select level, level_value, customer_number, on_date, 0 as reachable_change, customer_change
    from arrivals
)

select
    entities.on_date,
    entities.level,
    entities.reachable_change,
    entities.customer_change,
    {% for level in levels if level != 'customer' -%}
    case when entities.level = '{{ level }}' then entities.level_value end as {{ level }},
    {% endfor -%}
    customers.province,
    customers.country,
    {{ customer_slices() }}
from entities
left join {{ ref('kpi_customers') }} as customers
    on entities.customer_number = customers.customer_number
