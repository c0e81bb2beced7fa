{{ config(materialized='view') }}

-- All that the ledger ever said of whom an identifier stands for, so that an id can come back after
-- a split. is_held: an identifier stands for this customer now. Found by name, as identity_known.
{% set ledger = adapter.get_relation('state', 'main', 'identity_ledger') if execute else none -%}
{% if ledger -%}
with held as (
    select distinct customer_number
    from ({{ last_links(ledger) }}) as links
)

select
    events.identifier_type,
    events.namespace,
    events.identifier_value,
    events.event_number,
    events.customer_number,
    held.customer_number is not null as is_held
from {{ ledger }} as events
left join held on events.customer_number = held.customer_number
where events.event in ('linked', 'unlinked')
{%- else -%}
select
    cast(null as varchar) as identifier_type,
    cast(null as varchar) as namespace,
    cast(null as varchar) as identifier_value,
    cast(null as bigint) as event_number,
    cast(null as bigint) as customer_number,
    cast(null as boolean) as is_held
where false
{%- endif %}
