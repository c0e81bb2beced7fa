{{ config(unique_key=['source', 'list_id', 'member_id'], meta={'raw_table': 'mailchimp.members'}) }}

{{ latest_rows('mailchimp.members', keys=['list_id', 'member_id'], order_by=['last_changed']) }}
