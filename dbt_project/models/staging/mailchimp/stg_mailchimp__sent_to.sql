{{ config(
    unique_key=['source', 'campaign_id', 'member_id'],
    meta={'raw_table': 'mailchimp.sent_to'}
) }}

{{ latest_rows(
    'mailchimp.sent_to',
    keys=['campaign_id', 'member_id'],
    order_by=[]
) }}
