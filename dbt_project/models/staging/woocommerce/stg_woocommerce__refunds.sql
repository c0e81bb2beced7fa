{{ config(materialized='view') }}

-- A refund is in the currency of its order, and gone with it.
with refunds as (
    select refunds.*
    from {{ ref('base_woocommerce__order_refunds') }} as refunds
    inner join {{ ref('base_woocommerce__orders') }} as orders
        on refunds.source = orders.source and refunds.order_id = orders.id
    where not coalesce(refunds._is_deleted, false) and not coalesce(orders._is_deleted, false)
)

{{ as_entity('refunds', 'refunds', {
    'refund_id': 'id',
    'order_id': 'order_id',
    'amount': 'abs(amount)',
    'refunded_at': 'date_created_gmt',
}) }}
