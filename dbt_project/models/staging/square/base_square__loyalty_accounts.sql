{{ config(unique_key=['source', 'id'], meta={'raw_table': 'square.loyalty_accounts'}) }}

{#- The API tells a row as it is when it is read: what was read last is the truth. -#}
{{ latest_rows('square.loyalty_accounts', keys=['id'], order_by=['_load_id', 'updated_at']) }}
