{{ config(
    enabled=is_staged('stores'),
    unique_key=['source', 'store_id'],
    meta={'raw_table': 'stores'},
) }}

{{ latest_rows('stores', keys=['store_id'], order_by=['updated_at']) }}
