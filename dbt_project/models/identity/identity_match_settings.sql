{{ config(materialized='view') }}

-- How records are compared by likeness (identity.yml, `matching`). One row.
{% set matching = var('identity')['matching'] -%}
select
    {{ matching['enabled'] }} as is_enabled,
    cast({{ matching['link_at'] }} as double) as link_at,
    cast({{ matching['review_at'] }} as double) as review_at,
    '{{ matching['duplicate_free'] | join(' ') }}' as duplicate_free,
    '{{ matching['leave_out'] | join(' ') }}' as leave_out
