{{ config(
    enabled=is_staged('refunds'),
    unique_key=['source', 'refund_id'],
    meta={'raw_table': 'refunds'},
) }}

{{ latest_rows('refunds', keys=['refund_id'], order_by=[]) }}
