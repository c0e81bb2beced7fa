{{ config(unique_key=['source', 'id'], meta={'raw_table': 'shopify.product_variants'}) }}

{#- What is bought is a variant: our product. -#}
{{ latest_rows(
    'shopify.product_variants',
    keys=['id'],
    order_by=[],
    derived=spoken_as('products', 'shopify.product_variants', {
        'product_id': shopify_key('id'),
        'product_name': "product_title || coalesce(' - ' || nullif(title, 'Default Title'), '')",
        'category': "nullif(product_type, '')",
        'brand': "nullif(vendor, '')",
        'price': 'variant_price',
    }),
) }}
