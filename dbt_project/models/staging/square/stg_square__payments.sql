{{ config(materialized='view') }}

-- Payments that were cancelled or failed are no payments: ingestion marks them as deleted.
with payments as (
    select *
    from {{ ref('base_square__payments') }}
    where not coalesce(_is_deleted, false)
)

{{ as_entity('payments', 'payments', {
    'payment_id': 'id',
    'order_id': 'order_id',
    'method': 'lower(source_type)',
    'amount': major_units('total_amount', 'total_currency'),
    'currency': 'total_currency',
    'paid_at': 'created_at',
}) }}
