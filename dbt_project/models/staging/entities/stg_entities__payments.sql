{{ config(
    enabled=is_staged('payments'),
    unique_key=['source', 'payment_id'],
    meta={'raw_table': 'payments'},
) }}

{{ latest_rows('payments', keys=['payment_id'], order_by=[]) }}
