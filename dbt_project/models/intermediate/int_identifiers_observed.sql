-- Who showed which identifier, and when: one row per record and identifier.
with records as (
    select
        *,
        case when {{ rx_like('country', '^[A-Z]{2}$') }} then country
            else '{{ var("default_country") }}'
        end as phone_country
    from {{ ref('int_contact_records') }}
),

parsed as (
    select
        kind,
        country,
        raw_value,
        value
    from {{ ref('int_contact_values_parsed') }}
    where is_valid
)

-- Account numbers are a source's own and count within its namespace, unless it says whose numbers
-- they are; an address or a telephone number is the same everywhere.
{% for type in ['user_id', 'member_number', 'external_id', 'anonymous_id'] -%}
select
    source,
    namespace as source_namespace,
    record_kind,
    record_id,
    '{{ type }}' as identifier_type,
    {{ issuing_namespace(type) }} as namespace,
    {{ type }} as identifier_value,
    first_seen_at,
    last_seen_at
from records
where trim({{ type }}) <> ''
union all
{% endfor -%}
{% for type in ['email', 'phone'] -%}
select distinct
    records.source,
    records.namespace as source_namespace,
    records.record_kind,
    records.record_id,
    '{{ type }}' as identifier_type,
    '' as namespace,
    {{ matched_email('parsed.value') if type == 'email' else 'parsed.value' }} as identifier_value,
    records.first_seen_at,
    records.last_seen_at
from records
inner join parsed
    on records.{{ type }} = parsed.raw_value
    and parsed.kind = '{{ type }}'
    {%- if type == 'phone' %}
    and records.phone_country = parsed.country
    {%- endif %}
{{ "union all" if not loop.last }}
{% endfor %}
