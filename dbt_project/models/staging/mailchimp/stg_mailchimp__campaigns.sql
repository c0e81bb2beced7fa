{{ config(unique_key=['source', 'campaign_id'], meta={'raw_table': 'mailchimp.campaigns'}) }}

{{ latest_rows('mailchimp.campaigns', keys=['campaign_id'], order_by=[]) }}
