{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    database='state',
    schema='main'
) }}

-- depends_on: {{ ref('identity_health') }}

-- The record of who was believed to be whom: append-only, kept in state, never rebuilt. Events
-- are numbered by the proposal, so that appending the same proposal twice appends once.
select
    events.event_number,
    'E' || lpad(cast(events.event_number as varchar), 9, '0') as event_id,
    '{{ run_value("run_id") }}' as run_id,
    {{ as_of_at() }} as happened_at,
    events.event,
    events.customer_number,
    events.other_customer_number,
    events.identifier_type,
    events.namespace,
    events.identifier_value,
    events.rule,
    events.triggering_source,
    events.triggering_record_id,
    '{{ local_md5(tojson(var("identity")))[:12] }}' as configuration_version
from {{ ref('identity_events_proposed') }} as events
{% if is_incremental() -%}
where events.event_number > (select coalesce(max(held.event_number), 0) from {{ this }} as held)
{%- endif %}
