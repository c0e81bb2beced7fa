{{ config(materialized='view') }}

-- An account. Its number is the user id of its orders and of the shop's web events.
with accounts as (
    select *
    from {{ ref('base_woocommerce__customers') }}
    where not coalesce(_is_deleted, false)
)

{{ as_entity('customers', 'accounts', {
    'record_id': 'id',
    'user_id': 'id',
    'email': "coalesce(nullif(email, ''), " ~ json_text('billing', 'email') ~ ')',
    'phone': json_text('billing', 'phone'),
    'full_name': 'coalesce(' ~ woocommerce_name('billing') ~ ', '
        ~ name_in_order('first_name', 'last_name', json_text('billing', 'country')) ~ ')',
    'given_name': "nullif(trim(first_name), '')",
    'family_name': "nullif(trim(last_name), '')",
    'country': json_text('billing', 'country'),
    'province': woocommerce_province('billing'),
    'ward': json_text('billing', 'address_2'),
    'city': json_text('billing', 'city'),
    'postal_code': json_text('billing', 'postcode'),
    'address': json_text('billing', 'address_1'),
    'created_at': 'date_created_gmt',
    'updated_at': 'coalesce(date_modified_gmt, date_created_gmt)',
}) }}
