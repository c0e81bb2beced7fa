{{ config(unique_key=['source', 'id'], meta={'raw_table': 'woocommerce.order_refunds'}) }}

{#- The API tells a row as it is when it is read: what was read last is the truth. -#}
{{ latest_rows('woocommerce.order_refunds', keys=['id'], order_by=['_load_id']) }}
