{{ config(
    enabled=is_staged('conversations'),
    unique_key=['source', 'conversation_id'],
    meta={'raw_table': 'conversations'},
) }}

{{ latest_rows('conversations', keys=['conversation_id'], order_by=['updated_at']) }}
