{{ config(materialized='view') }}

-- Calls from our own call lists: an outbound call to sell that tells of no campaign, to the number
-- of somebody who stood on a list then, or had left it within the last day (agents take the list in
-- the morning); from a record without that number, to the person themselves. Of several lists, the
-- one they came to last. Grain is touch_id.
with called as (
    select
        'call:' || calls.source || ':' || calls.call_id as touch_id,
        calls.source,
        calls.call_id,
        record_customers.customer_id,
        calls.started_at,
        calls.is_answered,
        lower(calls.outcome) as outcome,
        calls.duration_seconds
    from {{ entity_rows('calls') }} as calls
    left join {{ ref('int_record_customers') }} as record_customers
        on calls.source = record_customers.source
        and record_customers.record_kind = 'calls'
        and calls.call_id = record_customers.record_id
    where lower(calls.direction) = 'outbound'
        and coalesce(lower(calls.purpose), 'sales') = 'sales'
        and calls.campaign_id is null
        and calls.conversation_id is null
),

-- Whom a call reached, by the number and by who the record says it was.
reached as (
    select
        called.touch_id,
        {{ sha256('identifiers.identifier_value') }} as identifier_hash,
        cast(null as varchar) as customer_id
    from called
    inner join {{ ref('int_identifiers_observed') }} as identifiers
        on called.source = identifiers.source
        and identifiers.record_kind = 'calls'
        and called.call_id = identifiers.record_id
        and identifiers.identifier_type = 'phone'
    union all
    select touch_id, null, customer_id
    from called
    where customer_id is not null
),

listed as (
    select
        entries.*,
        coalesce(survivors.current_customer_id, entries.customer_id) as current_customer_id
    from state.main.call_list_entries as entries
    left join {{ ref('identity_survivors') }} as survivors
        on entries.customer_id = survivors.customer_id
),

paired as (
    {% for key, theirs in [('identifier_hash', 'identifier_hash'),
        ('customer_id', 'current_customer_id')] -%}
    select
        reached.touch_id,
        listed.sync_id,
        listed.audience,
        listed.receipt_id,
        listed.current_customer_id as customer_id,
        listed.listed_at,
        listed.unlisted_at,
        {{ loop.index }} as preference
    from reached
    inner join listed on reached.{{ key }} = listed.{{ theirs }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

ranked as (
    select
        paired.*,
        row_number() over (
            partition by paired.touch_id
            order by
                paired.preference asc, paired.listed_at desc, paired.sync_id asc,
                paired.customer_id asc
        ) as list_rank
    from paired
    inner join called
        on paired.touch_id = called.touch_id
    where called.started_at >= paired.listed_at
        and (
            paired.unlisted_at is null
            or called.started_at < {{ plus_minutes('paired.unlisted_at', 1440) }}
        )
)

select
    called.touch_id,
    ranked.sync_id,
    ranked.audience,
    ranked.receipt_id,
    ranked.customer_id,
    ranked.listed_at,
    called.started_at,
    called.is_answered,
    called.outcome,
    called.duration_seconds
from called
inner join ranked on called.touch_id = ranked.touch_id and ranked.list_rank = 1
