{{ config(
    enabled=is_staged('email_events'),
    unique_key=['source', 'email_event_id'],
    meta={'raw_table': 'email_events'},
) }}

{{ latest_rows('email_events', keys=['email_event_id'], order_by=['occurred_at']) }}
