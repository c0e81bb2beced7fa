{{ config(
    enabled=is_staged('calls'),
    unique_key=['source', 'call_id'],
    meta={'raw_table': 'calls'},
) }}

{{ latest_rows('calls', keys=['call_id'], order_by=['updated_at']) }}
