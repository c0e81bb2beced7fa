{{ config(materialized='view') }}

-- How many identifiers of a type one person may have (identity.yml, `per_person`), account numbers
-- in each namespace. A value in too many hands never comes so far (identity_blocked_values).
{% for type, rule in var('identity')['identifiers'].items() if rule['per_person'] -%}
select
    '{{ type }}' as identifier_type,
    cast(null as varchar) as namespace,
    cast({{ rule['per_person'] }} as bigint) as per_person,
    cast(1000000000 as bigint) as shared_above
{{ "union all" if not loop.last }}
{% endfor %}
