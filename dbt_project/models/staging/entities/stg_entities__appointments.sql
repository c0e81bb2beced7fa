{{ config(
    enabled=is_staged('appointments'),
    unique_key=['source', 'appointment_id'],
    meta={'raw_table': 'appointments'},
) }}

{{ latest_rows('appointments', keys=['appointment_id'], order_by=['updated_at']) }}
