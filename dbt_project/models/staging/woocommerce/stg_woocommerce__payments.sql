{{ config(materialized='view') }}

-- WooCommerce has no payments of their own: an order that was paid has one, of its total.
with orders as (
    select *
    from {{ ref('base_woocommerce__orders') }}
    where not coalesce(_is_deleted, false) and date_paid_gmt is not null
)

{{ as_entity('payments', 'orders', {
    'payment_id': 'id',
    'order_id': 'id',
    'method': "coalesce(nullif(payment_method, ''), 'unknown')",
    'amount': 'total',
    'currency': 'currency',
    'paid_at': 'date_paid_gmt',
}) }}
