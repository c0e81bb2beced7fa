{% set rate = rate_or_one('rates.rate', 'dated.original_currency') -%}
-- One payment, in its own currency and in the reporting currency at the day it happened.
with payments as (
    select
        payments.source || ':' || payments.payment_id as payment_id,
        orders.order_id,
        payments.source,
        payments.method,
        payments.amount as original_amount,
        coalesce(payments.currency, orders.currency, sources.currency) as original_currency,
        coalesce(payments.paid_at, orders.ordered_at) as paid_at
    from {{ entity_rows_once('payments', 'payment_id') }} as payments
    left join {{ ref('int_sources') }} as sources on payments.source = sources.source
    left join {{ ref('int_orders') }} as orders
        on payments.namespace = orders.namespace and payments.order_id = orders.source_order_id
),

dated as (
    select
        *,
        {{ business_date('paid_at') }} as paid_on
    from payments
)

select
    dated.payment_id,
    dated.order_id,
    dated.source,
    dated.method,
    dated.paid_at,
    dated.paid_on,
    dated.original_currency,
    {{ money('dated.original_amount') }} as original_amount,
    {{ converted('dated.original_amount', rate) }} as amount
from dated
left join {{ ref('int_exchange_rates') }} as rates
    on dated.original_currency = rates.currency
    and dated.paid_on >= rates.valid_from
    and dated.paid_on < rates.valid_to
