{{ config(materialized='view') }}

-- The distinct e-mail addresses, phone numbers and names as people wrote them.
with records as (
    select
        email,
        phone,
        full_name,
        case when {{ rx_like('country', '^[A-Z]{2}$') }} then country
            else '{{ var("default_country") }}'
        end as country
    from {{ ref('int_contact_records') }}
)

{% for kind, column in {'email': 'email', 'phone': 'phone', 'name': 'full_name'}.items() -%}
select distinct
    '{{ kind }}' as kind,
    {{ "''" if kind == 'email' else 'records.country' }} as country,
    records.{{ column }} as raw_value
from records
where records.{{ column }} <> ''
{{ "union all" if not loop.last }}
{% endfor %}
