{{ config(
    enabled=is_staged('products'),
    unique_key=['source', 'product_id'],
    meta={'raw_table': 'products'},
) }}

{{ latest_rows('products', keys=['product_id'], order_by=['updated_at']) }}
