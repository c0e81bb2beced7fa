{{ config(unique_key=['source', 'list_id'], meta={'raw_table': 'mailchimp.lists'}) }}

{{ latest_rows('mailchimp.lists', keys=['list_id'], order_by=[]) }}
