{{ config(materialized='view') }}

-- How many identifiers of a type one person may have (identity.yml, `per_person`): account numbers
-- in one namespace, addresses and numbers in all.
{% for type, rule in var('identity')['identifiers'].items() if rule['per_person'] -%}
select
    '{{ type }}' as identifier_type,
    {{ "''" if type in ('email', 'phone') else 'cast(null as varchar)' }} as namespace,
    {{ rule['per_person'] }} as per_person
{{ "union all" if not loop.last }}
{% endfor %}
