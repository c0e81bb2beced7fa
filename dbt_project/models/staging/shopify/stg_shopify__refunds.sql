{{ config(unique_key=['source', 'id'], meta={'raw_table': 'shopify.shop_refunds'}) }}

{{ latest_rows(
    'shopify.shop_refunds',
    keys=['id'],
    order_by=[],
    derived=spoken_as('refunds', 'shopify.shop_refunds', {
        'refund_id': shopify_key('id'),
        'order_id': shopify_key('order_gid'),
        'amount': 'total_refunded',
        'currency': 'currency_code',
        'refunded_at': 'coalesce(processed_at, created_at)',
    }),
) }}
