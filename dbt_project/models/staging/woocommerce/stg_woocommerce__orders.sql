{{ config(materialized='view') }}

-- Guests have account 0 and leave their contacts. An account's order may name whom it is sent to,
-- so there the account alone speaks. Payment on delivery is still to come while it is processed.
with orders as (
    select
        *,
        case
            when status in ('pending', 'on-hold', 'checkout-draft') then 'pending'
            when status = 'processing' and date_paid_gmt is null then 'pending'
            when status = 'processing' then 'paid'
            when status = 'completed' then 'completed'
            when status in ('cancelled', 'failed', 'trash') then 'cancelled'
            when status = 'refunded' then 'returned'
        end as our_status,
        coalesce(customer_id, '0') = '0' as is_guest,
        coalesce(
            {{ json_text('shipping', 'country') }}, {{ json_text('billing', 'country') }}
        ) as delivery_country
    from {{ ref('base_woocommerce__orders') }}
    where not coalesce(_is_deleted, false)
)

{{ as_entity('orders', 'orders', {
    'order_id': 'id',
    'channel': "'web'",
    'user_id': "nullif(customer_id, '0')",
    'email': 'case when is_guest then ' ~ json_text('billing', 'email') ~ ' end',
    'phone': 'case when is_guest then ' ~ json_text('billing', 'phone') ~ ' end',
    'full_name': 'case when is_guest then ' ~ woocommerce_name('billing') ~ ' end',
    'coupon_code': 'upper(' ~ json_text('coupon_lines', '[0].code') ~ ')',
    'ordered_at': 'date_created_gmt',
    'status': 'our_status',
    'country': 'delivery_country',
    'province': 'coalesce(' ~ woocommerce_province('shipping') ~ ', '
        ~ woocommerce_province('billing') ~ ')',
    'currency': 'currency',
    'updated_at': 'date_modified_gmt',
}) }}
