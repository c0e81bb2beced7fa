{{ config(materialized='view') }}

-- The highest numbers the ledger has given out: the next customer and event continue from here.
{% set ledger = adapter.get_relation('state', 'main', 'identity_ledger') if execute else none -%}
{% if ledger -%}
select
    coalesce(max(customer_number), 0) as last_customer_number,
    coalesce(max(event_number), 0) as last_event_number
from {{ ledger }}
{%- else -%}
select
    cast(0 as bigint) as last_customer_number,
    cast(0 as bigint) as last_event_number
{%- endif %}
