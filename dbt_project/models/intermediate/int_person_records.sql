-- What each record says about a person, values parsed; nobody is resolved yet.
{% set attributes = {
    'birth_date': 'date', 'birth_date_text': 'varchar', 'birth_year': 'integer',
    'age_band': 'varchar', 'gender': 'varchar', 'national_id': 'varchar',
    'marital_status': 'varchar', 'occupation': 'varchar', 'income_band': 'varchar',
    'province': 'varchar', 'city': 'varchar', 'ward': 'varchar', 'postal_code': 'varchar',
    'address': 'varchar', 'loyalty_tier': 'varchar', 'loyalty_enrolled_at': 'timestamp',
    'preferred_size': 'varchar', 'given_name': 'varchar', 'family_name': 'varchar'
} -%}
-- Which records describe a person, and what they say beside the name: an account's own record
-- describes its owner; an order, a lead or a call without an account is all there is of somebody.
{% set without_account = 'records.user_id is null and records.member_number is null' -%}
{% set told = [
    (['customers'], entity_rows('customers'), 'record_id', 'true',
        attributes | list + ['country']),
    (['orders'], ref('int_source_orders'), 'source_order_id', without_account, ['province']),
    (['loyalty_enrolments'], entity_rows('loyalty_enrolments'), 'enrolment_id',
        'true', {'loyalty_tier': 'tier', 'loyalty_enrolled_at': 'enrolled_at'}),
    (['conversations', 'leads', 'appointments', 'referrals'], none, none, without_account, []),
] -%}
with records as (
    select * from {{ ref('int_contact_records') }}
),

-- Branches, not one join on the kind: a condition on the left side alone would turn a left
-- join into a nested loop.
described as (
    {% for kinds, relation, key, condition, says in told -%}
    select
        records.source,
        records.namespace,
        records.record_kind,
        records.record_id,
        records.email as raw_email,
        records.phone as raw_phone,
        records.full_name,
        {% if 'country' in says -%}
        coalesce(delivered.country, records.country) as country,
        {%- else -%}
        records.country,
        {%- endif %}
        {% for attribute, type in attributes.items() -%}
        {% if attribute in says and says is mapping -%}
        delivered.{{ says[attribute] }} as {{ attribute }},
        {%- elif attribute in says -%}
        delivered.{{ attribute }},
        {%- else -%}
        cast(null as {{ type }}) as {{ attribute }},
        {%- endif %}
        {% endfor -%}
        records.first_seen_at as created_at,
        records.last_seen_at as updated_at
    from records
    {% if relation -%}
    left join {{ relation }} as delivered
        on records.source = delivered.source
        and records.record_id = delivered.{{ key }}
        {%- if kinds == ['loyalty_enrolments'] %}
        and delivered.left_at is null
        {%- endif %}
    {% endif -%}
    where records.record_kind in (
            '{{ kinds | join("', '") }}'
        )
        {%- if condition != 'true' %}
        and {{ condition }}
        {%- endif %}
    {{ "union all" if not loop.last }}
    {% endfor %}
),

keyed as (
    select
        *,
        case when {{ rx_like('country', '^[A-Z]{2}$') }} then country
            else '{{ var("default_country") }}'
        end as parse_country
    from described
)

select
    keyed.source,
    keyed.namespace,
    keyed.record_kind,
    keyed.record_id,
    keyed.full_name,
    nullif({{ fold_text('keyed.full_name') }}, '') as folded_name,
    -- A full name that is no more than the part delivered says nothing of the other part.
    {% for part, other in [('given_name', 'family_name'), ('family_name', 'given_name')] -%}
    case when {{ fold_text('keyed.full_name') }} = {{ fold_text('keyed.' ~ other) }}
            then keyed.{{ part }}
        else coalesce(keyed.{{ part }}, names.{{ part }})
    end as {{ part }},
    {% endfor -%}
    emails.value as email,
    phones.value as phone_e164,
    keyed.raw_email,
    keyed.raw_phone,
    keyed.country,
    places.province,
    keyed.province as raw_province,
    places.ward,
    keyed.ward as raw_ward,
    {% for attribute in attributes
        if attribute not in ('given_name', 'family_name', 'province', 'ward') -%}
    keyed.{{ attribute }},
    {% endfor -%}
    keyed.created_at,
    keyed.updated_at
from keyed
left join {{ ref('int_contact_values_parsed') }} as names
    on names.kind = 'name'
    and keyed.full_name = names.raw_value
    and keyed.parse_country = names.country
left join {{ ref('int_contact_values_parsed') }} as emails
    on emails.kind = 'email'
    and emails.position = 1
    and keyed.raw_email = emails.raw_value
left join {{ ref('int_contact_values_parsed') }} as phones
    on phones.kind = 'phone'
    and phones.position = 1
    and keyed.raw_phone = phones.raw_value
    and keyed.parse_country = phones.country
left join {{ ref('int_places') }} as places
    on coalesce(keyed.country, '') = places.country
    and coalesce(keyed.province, '') = places.written_province
    and coalesce(keyed.ward, '') = places.written_ward
