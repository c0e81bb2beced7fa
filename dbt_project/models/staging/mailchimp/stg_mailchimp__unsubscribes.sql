{{ config(
    unique_key=['source', 'campaign_id', 'member_id'],
    meta={'raw_table': 'mailchimp.unsubscribes'}
) }}

{{ latest_rows(
    'mailchimp.unsubscribes',
    keys=['campaign_id', 'member_id'],
    order_by=['occurred_at']
) }}
