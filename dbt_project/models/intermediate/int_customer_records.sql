-- What each record says about a person, attributes parsed, with the customer it belongs to.
{% set attributes = [
    'birth_date', 'birth_year', 'age_band', 'gender', 'marital_status', 'occupation', 'income_band',
    'ward', 'address', 'loyalty_tier', 'loyalty_enrolled_at', 'preferred_size'
] -%}
with records as (
    select
        *,
        email as raw_email,
        phone as raw_phone,
        first_seen_at as created_at,
        last_seen_at as updated_at
    from {{ ref('int_contact_records') }}
),

enrolments as (
    select
        source,
        enrolment_id,
        tier,
        enrolled_at
    from {{ entity_rows('loyalty_enrolments') }} as delivered
    where left_at is null
),

-- Branches, not one join on the kind: a condition on the left side alone would turn a left
-- join into a nested loop.
described as (
    select
        records.source,
        records.namespace,
        records.record_kind,
        records.record_id,
        records.raw_email,
        records.raw_phone,
        records.full_name,
        coalesce(customers.country, records.country) as country,
        customers.province,
        {% for attribute in attributes -%}
        customers.{{ attribute }},
        {% endfor -%}
        records.created_at,
        records.updated_at
    from records
    left join {{ entity_rows('customers') }} as customers
        on records.source = customers.source and records.record_id = customers.record_id
    where records.record_kind = 'customers'
    union all
    select
        records.source,
        records.namespace,
        records.record_kind,
        records.record_id,
        records.raw_email,
        records.raw_phone,
        records.full_name,
        records.country,
        orders.province,
        {% for attribute in attributes -%}
        null as {{ attribute }},
        {% endfor -%}
        records.created_at,
        records.updated_at
    from records
    left join {{ ref('int_source_orders') }} as orders
        on records.source = orders.source and records.record_id = orders.source_order_id
    -- An account's own record describes its owner; an order placed without one is all there is.
    where records.record_kind = 'orders'
        and records.user_id is null
        and records.member_number is null
    union all
    select
        records.source,
        records.namespace,
        records.record_kind,
        records.record_id,
        records.raw_email,
        records.raw_phone,
        records.full_name,
        records.country,
        null as province,
        {% for attribute in attributes -%}
        {% if attribute == 'loyalty_tier' -%} enrolments.tier
        {%- elif attribute == 'loyalty_enrolled_at' -%} enrolments.enrolled_at
        {%- else -%} null
        {%- endif %} as {{ attribute }},
        {% endfor -%}
        records.created_at,
        records.updated_at
    from records
    left join enrolments
        on records.source = enrolments.source and records.record_id = enrolments.enrolment_id
    where records.record_kind = 'loyalty_enrolments'
    union all
    select
        records.source,
        records.namespace,
        records.record_kind,
        records.record_id,
        records.raw_email,
        records.raw_phone,
        records.full_name,
        records.country,
        null as province,
        {% for attribute in attributes -%}
        null as {{ attribute }},
        {% endfor -%}
        records.created_at,
        records.updated_at
    from records
    where records.record_kind in ('conversations', 'leads', 'appointments', 'referrals')
        and records.user_id is null
        and records.member_number is null
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
    record_customers.customer_id,
    keyed.full_name,
    names.given_name,
    names.family_name,
    emails.value as email,
    phones.value as phone_e164,
    keyed.raw_email,
    keyed.raw_phone,
    keyed.country,
    places.province,
    keyed.province as raw_province,
    {% for attribute in attributes -%}
    {% if attribute == 'ward' %}places.ward,
    keyed.ward as raw_ward{% else %}keyed.{{ attribute }}{% endif %},
    {% endfor -%}
    keyed.created_at,
    keyed.updated_at
from keyed
left join {{ ref('int_record_customers') }} as record_customers
    on keyed.source = record_customers.source
    and keyed.record_kind = record_customers.record_kind
    and keyed.record_id = record_customers.record_id
left join {{ ref('int_contact_values_parsed') }} as names
    on names.kind = 'name'
    and keyed.full_name = names.raw_value
    and keyed.parse_country = names.country
left join {{ ref('int_contact_values_parsed') }} as emails
    on emails.kind = 'email' and keyed.raw_email = emails.raw_value
left join {{ ref('int_contact_values_parsed') }} as phones
    on phones.kind = 'phone'
    and keyed.raw_phone = phones.raw_value
    and keyed.parse_country = phones.country
left join {{ ref('int_places') }} as places
    on coalesce(keyed.country, '') = places.country
    and coalesce(keyed.province, '') = places.written_province
    and coalesce(keyed.ward, '') = places.written_ward
