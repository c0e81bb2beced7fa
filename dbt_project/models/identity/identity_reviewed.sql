{{ config(materialized='view') }}

-- The answers to the question whether two records are one person: the last word on each pair. The
-- ledger depends on this model, so it is found by name.
{% set ledger = adapter.get_relation('state', 'main', 'identity_ledger') if execute else none -%}
with answers as (
    select
        namespace || '|' || identifier_value as left_key,
        triggering_source || '|' || triggering_record_id as right_key,
        happened_at as reviewed_at,
        event_number,
        rule = 'accepted' as is_accepted
    from {{ ledger or "(select 'none' as event, 0 as event_number, null as namespace, "
        ~ "null as identifier_value, null as triggering_source, null as triggering_record_id, "
        ~ "null as rule, cast(null as timestamp) as happened_at)" }} as events
    where event = 'reviewed'
),

-- A record that was a person of its own when asked about may name an account by now.
accounts as (
    select
        'record|' || source || '|' || record_kind || ':' || record_id as record_key,
        holder_type || '|' || holder_namespace || '|' || holder_value as holder_key
    from {{ ref('identity_record_holders') }}
    where holder_type <> 'record'
),

today as (
    select
        answers.reviewed_at,
        answers.event_number,
        answers.is_accepted,
        coalesce(lefts.holder_key, answers.left_key) as left_key,
        coalesce(rights.holder_key, answers.right_key) as right_key
    from answers
    left join accounts as lefts on answers.left_key = lefts.record_key
    left join accounts as rights on answers.right_key = rights.record_key
)

select
    left_key,
    right_key,
    reviewed_at,
    is_accepted
from (
    select
        *,
        row_number() over (
            partition by least(left_key, right_key), greatest(left_key, right_key)
            order by event_number desc nulls last
        ) as recency
    from today
    where left_key <> right_key
) as words
where recency = 1
