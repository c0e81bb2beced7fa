{{ config(
    enabled=is_staged('sessions'),
    unique_key=['source', 'session_id'],
    meta={'raw_table': 'sessions'},
) }}

{{ latest_rows('sessions', keys=['session_id'], order_by=['updated_at']) }}
