{{ config(materialized='view') }}

-- A refund names the order that the return is; the order that was sold is that of its payment.
with refunds as (
    select
        told.*,
        coalesce(payments.order_id, told.order_id) as sold_order_id
    from {{ ref('base_square__refunds') }} as told
    left join {{ ref('base_square__payments') }} as payments
        on told.source = payments.source and told.payment_id = payments.id
    where not coalesce(told._is_deleted, false)
)

{{ as_entity('refunds', 'refunds', {
    'refund_id': 'id',
    'order_id': 'sold_order_id',
    'amount': major_units('amount_amount', 'amount_currency'),
    'currency': 'amount_currency',
    'refunded_at': 'created_at',
}) }}
