{{ config(unique_key=['source', 'id'], meta={'raw_table': 'shopify.customers'}) }}

{#- First and last name come apart; in Viet Nam the family name is written first. -#}
{%- set given, family = "coalesce(first_name, '')", "coalesce(last_name, '')" -%}
{{ latest_rows(
    'shopify.customers',
    keys=['id'],
    order_by=['updated_at'],
    derived=spoken_as('customers', 'shopify.customers', {
        'record_id': shopify_key('id'),
        'user_id': shopify_key('id'),
        'email': 'email_address',
        'phone': 'phone_number',
        'full_name': "nullif(trim(case when country_code = 'VN' then " ~ family ~ " || ' ' || "
            ~ given ~ " else " ~ given ~ " || ' ' || " ~ family ~ " end), '')",
        'given_name': "nullif(trim(first_name), '')",
        'family_name': "nullif(trim(last_name), '')",
        'country': 'country_code',
        'province': 'coalesce(address_province, city)',
        'city': 'city',
        'address': 'address1',
    }),
) }}
