{{ config(
    enabled=is_staged('offers'),
    unique_key=['source', 'offer_id'],
    meta={'raw_table': 'offers'},
) }}

{{ latest_rows('offers', keys=['offer_id'], order_by=['updated_at']) }}
