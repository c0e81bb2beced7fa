{{ config(
    enabled=is_staged('order_lines'),
    unique_key=['source', 'order_line_id'],
    meta={'raw_table': 'order_lines'},
) }}

{{ latest_rows('order_lines', keys=['order_line_id'], order_by=['updated_at']) }}
