{{ config(unique_key=['source', 'message_id'], meta={'raw_table': 'segment.events'}) }}

{{ latest_rows('segment.events', keys=['message_id'], order_by=[]) }}
