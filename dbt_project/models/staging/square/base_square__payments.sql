{{ config(unique_key=['source', 'id'], meta={'raw_table': 'square.payments'}) }}

{#- The API tells a row as it is when it is read: what was read last is the truth. -#}
{{ latest_rows('square.payments', keys=['id'], order_by=['_load_id', 'updated_at']) }}
