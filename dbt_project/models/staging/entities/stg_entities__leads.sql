{{ config(
    enabled=is_staged('leads'),
    unique_key=['source', 'lead_id'],
    meta={'raw_table': 'leads'},
) }}

{{ latest_rows('leads', keys=['lead_id'], order_by=['updated_at']) }}
