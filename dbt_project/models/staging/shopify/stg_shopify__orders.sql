{{ config(unique_key=['source', 'id'], meta={'raw_table': 'shopify.shop_orders'}) }}

{#- 580111 is the online store's number among the sales channels. What is delivered counts, paid or
    not: cash on delivery is booked late. -#}
{%- set paid = "display_financial_status in ('PAID', 'PARTIALLY_REFUNDED')" -%}
{{ latest_rows(
    'shopify.shop_orders',
    keys=['id'],
    order_by=['updated_at'],
    derived=spoken_as('orders', 'shopify.shop_orders', {
        'order_id': shopify_key('id'),
        'channel': "case when source_name = 'pos' or retail_location_gid is not null then 'store'"
            ~ " when source_name in ('web', '580111') then 'web'"
            ~ " when source_name in ('iphone', 'android') then 'app' end",
        'store_id': shopify_key('retail_location_gid'),
        'user_id': shopify_key('customer_gid'),
        'full_name': 'coalesce(shipping_name, billing_name)',
        'cart_id': 'cart_token',
        'coupon_code': json_item('discount_codes', 0),
        'ordered_at': 'coalesce(processed_at, created_at)',
        'status': "case when cancelled_at is not null"
            ~ " or display_financial_status in ('VOIDED', 'EXPIRED') then 'cancelled'"
            ~ " when display_financial_status = 'REFUNDED' then 'returned'"
            ~ " when display_fulfillment_status = 'FULFILLED' and " ~ paid ~ " then 'completed'"
            ~ " when display_fulfillment_status = 'FULFILLED' then 'fulfilled'"
            ~ " when " ~ paid ~ " then 'paid' else 'pending' end",
        'country': 'coalesce(shipping_country_code, billing_country_code)',
        'province': 'coalesce(shipping_province, billing_province)',
        'currency': 'currency_code',
    }),
) }}
