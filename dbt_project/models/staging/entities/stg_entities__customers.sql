{{ config(
    enabled=is_staged('customers'),
    unique_key=['source', 'record_id'],
    meta={'raw_table': 'customers'},
) }}

{{ latest_rows('customers', keys=['record_id'], order_by=['updated_at']) }}
