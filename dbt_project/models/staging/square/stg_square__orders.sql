{{ config(materialized='view') }}

-- A return is an order of its own without anything sold: it is told by the refunds, not here.
-- Square has no word for an order whose money was all given back: the refunds say so. A customer's
-- order may name whom it is sent to, so there the customer alone speaks.
with refunded as (
    select
        refunds.source,
        payments.order_id,
        sum(refunds.amount_amount) as refunded_amount
    from {{ ref('base_square__refunds') }} as refunds
    inner join {{ ref('base_square__payments') }} as payments
        on refunds.source = payments.source and refunds.payment_id = payments.id
    where not coalesce(refunds._is_deleted, false)
    group by refunds.source, payments.order_id
),

orders as (
    select
        told.*,
        locations.country,
        {{ json_text('told.fulfillments', '[0].pickup_details.recipient') }} as pickup,
        {{ json_text('told.fulfillments', '[0].shipment_details.recipient') }} as shipment,
        coalesce(told.customer_id, '') = '' as is_stranger,
        case
            when told.state = 'CANCELED' then 'cancelled'
            when told.total_amount > 0 and refunded.refunded_amount >= told.total_amount
                then 'returned'
            when told.state = 'COMPLETED' then 'completed'
            when told.state = 'OPEN' and told.net_amount_due_amount = 0 then 'paid'
            when told.state in ('OPEN', 'DRAFT') then 'pending'
        end as our_status
    from {{ ref('base_square__orders') }} as told
    left join {{ ref('base_square__locations') }} as locations
        on told.source = locations.source and told.location_id = locations.id
    left join refunded on told.source = refunded.source and told.id = refunded.order_id
    where not coalesce(told._is_deleted, false) and not {{ is_square_return('told') }}
)

{{ as_entity('orders', 'orders', {
    'order_id': 'id',
    'store_id': 'location_id',
    'external_id': "nullif(customer_id, '')",
    'email': 'case when is_stranger then '
        ~ json_text('coalesce(shipment, pickup)', 'email_address') ~ ' end',
    'phone': 'case when is_stranger then '
        ~ json_text('coalesce(shipment, pickup)', 'phone_number') ~ ' end',
    'full_name': 'case when is_stranger then '
        ~ json_text('coalesce(shipment, pickup)', 'display_name') ~ ' end',
    'ordered_at': 'created_at',
    'status': 'our_status',
    'country': 'country',
    'currency': 'total_currency',
    'updated_at': 'updated_at',
}) }}
