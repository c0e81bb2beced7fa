{{ config(materialized='view') }}

-- How records are compared by likeness (identity.yml, `matching`). One row.
{% set matching = var('identity')['matching'] -%}
{% set duplicate_free = matching['duplicate_free'] | join(' ') -%}
{% set leave_out = matching['leave_out'] | join(' ') -%}
select
    {{ matching['enabled'] }} as is_enabled,
    cast({{ matching['link_at'] }} as double) as link_at,
    cast({{ matching['review_at'] }} as double) as review_at,
    '{{ duplicate_free }}' as duplicate_free,
    '{{ leave_out }}' as leave_out
