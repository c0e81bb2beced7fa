{{ config(materialized='view') }}

-- The directory's `reference_id` is the shop's own number of the person: its member number.
with loyalty as (
    select
        source,
        customer_id,
        min(enrolled_at) as enrolled_at
    from {{ ref('base_square__loyalty_accounts') }}
    where not coalesce(_is_deleted, false)
    group by source, customer_id
),

customers as (
    select
        people.*,
        {{ json_text('people.address', 'country') }} as country,
        loyalty.enrolled_at
    from {{ ref('base_square__customers') }} as people
    left join loyalty on people.source = loyalty.source and people.id = loyalty.customer_id
    where not coalesce(people._is_deleted, false)
)

{{ as_entity('customers', 'customers', {
    'record_id': 'id',
    'external_id': 'id',
    'member_number': "nullif(reference_id, '')",
    'email': "nullif(email_address, '')",
    'phone': "nullif(phone_number, '')",
    'full_name': name_in_order('given_name', 'family_name', 'country'),
    'given_name': "nullif(trim(given_name), '')",
    'family_name': "nullif(trim(family_name), '')",
    'birth_date': "case when birthday >= '1000' then try_cast(birthday as date) end",
    'country': 'country',
    'province': json_text('address', 'administrative_district_level_1'),
    'ward': json_text('address', 'locality'),
    'address': json_text('address', 'address_line_1'),
    'postal_code': json_text('address', 'postal_code'),
    'loyalty_enrolled_at': 'enrolled_at',
    'created_at': 'created_at',
    'updated_at': 'updated_at',
}) }}
