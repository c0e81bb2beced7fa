{{ config(
    enabled=is_staged('consents'),
    unique_key=['source', 'consent_id'],
    meta={'raw_table': 'consents'},
) }}

{{ latest_rows('consents', keys=['consent_id'], order_by=[]) }}
