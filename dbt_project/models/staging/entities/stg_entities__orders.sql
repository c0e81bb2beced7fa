{{ config(
    enabled=is_staged('orders'),
    unique_key=['source', 'order_id'],
    meta={'raw_table': 'orders'},
) }}

{{ latest_rows('orders', keys=['order_id'], order_by=['updated_at']) }}
