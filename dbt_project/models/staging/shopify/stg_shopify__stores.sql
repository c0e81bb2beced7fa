{{ config(unique_key=['source', 'id'], meta={'raw_table': 'shopify.locations'}) }}

{{ latest_rows(
    'shopify.locations',
    keys=['id'],
    order_by=['updated_at'],
    derived=spoken_as('stores', 'shopify.locations', {
        'store_id': shopify_key('id'),
        'store_name': 'name',
        'province': 'coalesce(address_province, city)',
    }),
) }}
