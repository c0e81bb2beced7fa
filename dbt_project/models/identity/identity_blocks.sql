{{ config(materialized='view') }}

-- Single values that an operator has blocked: the last word of the ledger on each. The ledger
-- depends on this model, so it is found by name; before the first run it does not exist.
{% set ledger = adapter.get_relation('state', 'main', 'identity_ledger') if execute else none -%}
select
    identifier_type,
    namespace,
    identifier_value
from (
    select
        identifier_type,
        namespace,
        identifier_value,
        event,
        row_number() over (
            partition by identifier_type, namespace, identifier_value
            order by event_number desc nulls last
        ) as recency
    from {{ ledger or "(select null as identifier_type, null as namespace, "
        ~ "null as identifier_value, null as event, 0 as event_number)" }} as events
    where event in ('blocked', 'unblocked')
) as words
where recency = 1 and event = 'blocked'
