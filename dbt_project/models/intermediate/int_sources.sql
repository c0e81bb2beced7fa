{{ config(materialized='view') }}

-- The configured sources as rows, so that a new source touches no model.
select
    cast(null as varchar) as source,
    cast(null as varchar) as namespace,
    cast(null as varchar) as kind,
    cast(null as varchar) as area,
    cast(null as varchar) as currency,
    cast(null as varchar) as default_channel
where false
{% for source in var('sources') -%}
union all
select
    '{{ source["name"] }}',
    '{{ source.get("namespace") or source["name"] }}',
    '{{ source["kind"] }}',
    '{{ source.get("area") or "unknown" }}',
    '{{ source.get("currency") or var("reporting_currency") }}',
    '{{ {"web": "web", "email": "email", "pos": "store"}.get(source.get("area"), "unknown") }}'
{% endfor %}
