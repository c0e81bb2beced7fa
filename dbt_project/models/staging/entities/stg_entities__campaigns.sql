{{ config(
    enabled=is_staged('campaigns'),
    unique_key=['source', 'campaign_id'],
    meta={'raw_table': 'campaigns'},
) }}

{{ latest_rows('campaigns', keys=['campaign_id'], order_by=[]) }}
