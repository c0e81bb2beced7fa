{{ config(materialized='view') }}

with products as (
    select *
    from {{ ref('base_woocommerce__products') }}
    where not coalesce(_is_deleted, false)
)

{{ as_entity('products', 'products', {
    'product_id': 'id',
    'sku': "nullif(sku, '')",
    'product_name': 'name',
    'category': json_text('categories', '[0].name'),
    'price': 'coalesce(price, regular_price)',
    'updated_at': 'date_modified_gmt',
}) }}
