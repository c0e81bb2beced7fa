{{ config(
    enabled=is_staged('experiments'),
    unique_key=['source', 'experiment_id'],
    meta={'raw_table': 'experiments'},
) }}

{{ latest_rows('experiments', keys=['experiment_id'], order_by=[]) }}
