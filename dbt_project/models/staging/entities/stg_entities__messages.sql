{{ config(
    enabled=is_staged('messages'),
    unique_key=['source', 'message_id'],
    meta={'raw_table': 'messages'},
) }}

{{ latest_rows('messages', keys=['message_id'], order_by=['updated_at']) }}
