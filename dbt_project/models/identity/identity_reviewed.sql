{{ config(materialized='view') }}

-- The answers to the question whether two records are one person: the last word on each pair. The
-- ledger depends on this model, so it is found by name.
{% set ledger = adapter.get_relation('state', 'main', 'identity_ledger') if execute else none -%}
select
    namespace || '|' || identifier_value as left_key,
    triggering_source || '|' || triggering_record_id as right_key,
    happened_at as reviewed_at,
    rule = 'accepted' as is_accepted
from (
    select
        *,
        row_number() over (
            partition by namespace, identifier_value, triggering_source, triggering_record_id
            order by event_number desc nulls last
        ) as recency
    from {{ ledger or "(select 'none' as event, 0 as event_number, null as namespace, "
        ~ "null as identifier_value, null as triggering_source, null as triggering_record_id, "
        ~ "null as rule, cast(null as timestamp) as happened_at)" }} as events
    where event = 'reviewed'
) as words
where recency = 1
