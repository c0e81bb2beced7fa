{{ config(unique_key=['source', 'id'], meta={'raw_table': 'shopify.customers'}) }}

{{ latest_rows(
    'shopify.customers',
    keys=['id'],
    order_by=['updated_at'],
    derived=spoken_as('customers', 'shopify.customers', {
        'record_id': shopify_key('id'),
        'user_id': shopify_key('id'),
        'email': 'email_address',
        'phone': 'phone_number',
        'full_name': name_in_order('first_name', 'last_name', 'country_code'),
        'given_name': "nullif(trim(first_name), '')",
        'family_name': "nullif(trim(last_name), '')",
        'country': 'country_code',
        'province': 'coalesce(address_province, city)',
        'city': 'city',
        'address': 'address1',
    }),
) }}
