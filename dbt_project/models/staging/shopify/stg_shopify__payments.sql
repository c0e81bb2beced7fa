{{ config(unique_key=['source', 'id'], meta={'raw_table': 'shopify.order_transactions'}) }}

{#- Change is money that the till gave back from the cash it took. -#}
{{ latest_rows(
    'shopify.order_transactions',
    keys=['id'],
    order_by=[],
    derived=spoken_as('payments', 'shopify.order_transactions', {
        'payment_id': shopify_key('id'),
        'order_id': shopify_key('order_gid'),
        'method': 'gateway',
        'amount': "case when kind = 'CHANGE' then -transaction_amount else transaction_amount end",
        'currency': 'currency_code',
        'paid_at': 'coalesce(processed_at, created_at)',
    }),
) }}
