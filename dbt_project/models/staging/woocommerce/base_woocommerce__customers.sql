{{ config(unique_key=['source', 'id'], meta={'raw_table': 'woocommerce.customers'}) }}

{#- The API tells a row as it is when it is read: what was read last is the truth. -#}
{{ latest_rows('woocommerce.customers', keys=['id'], order_by=['_load_id', 'date_modified_gmt']) }}
