{# gid://shopify/Order/123 -> 123, the number that the vendor's other words use. #}
{% macro shopify_key(gid) -%}
    {{ rx_extract(gid, '/([0-9]+)$', 1) }}
{%- endmacro %}


{# The raw table of each staging table that speaks an entity. #}
{% macro shopify_tables() -%}
    {{ return({
        'shopify.customers': 'customers',
        'shopify.shop_orders': 'orders',
        'shopify.line_items': 'order_lines',
        'shopify.order_transactions': 'payments',
        'shopify.shop_refunds': 'refunds',
        'shopify.product_variants': 'products',
        'shopify.locations': 'stores',
    }) }}
{%- endmacro %}


{# For each raw table: SQL of the staged keys that the marts hold (row_accounting). #}
{% macro shopify_found() -%}
    {%- set held = {
        'customers': "source || ':' || record_id in (select source || ':' || record_id from "
            ~ ref('int_customer_records') ~ " where record_kind = 'customers')",
        'orders': "namespace || ':' || order_id in (select order_id from " ~ ref('orders') ~ ")",
        'order_lines': "source || ':' || order_line_id in (select order_line_id from "
            ~ ref('order_lines') ~ ")",
        'payments': "source || ':' || payment_id in (select payment_id from " ~ ref('payments')
            ~ ")",
        'refunds': "source || ':' || refund_id in (select refund_id from " ~ ref('refunds') ~ ")",
        'products': "product_id in (select product_id from " ~ ref('products') ~ ")",
        'stores': "store_id in (select store_id from " ~ ref('stores') ~ ")",
    } -%}
    {%- set found = {} -%}
    {%- for table, entity in shopify_tables().items() -%}
        {%- do found.update({table: 'select distinct source, id as k1 from '
            ~ ref('stg_shopify__' ~ entity) ~ ' where ' ~ held[entity]}) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}
