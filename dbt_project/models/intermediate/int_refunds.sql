{% set rate = rate_or_one('rates.rate', 'dated.original_currency') -%}
-- One refund, in its own currency and in the reporting currency at the day it happened.
with refunds as (
    select
        refunds.source || ':' || refunds.refund_id as refund_id,
        orders.order_id,
        refunds.source,
        refunds.amount as original_amount,
        coalesce(refunds.currency, orders.currency, sources.currency) as original_currency,
        coalesce(refunds.refunded_at, orders.ordered_at) as refunded_at
    from {{ entity_rows_once('refunds', 'refund_id') }} as refunds
    left join {{ ref('int_sources') }} as sources on refunds.source = sources.source
    left join {{ ref('int_orders') }} as orders
        on refunds.namespace = orders.namespace and refunds.order_id = orders.source_order_id
),

dated as (
    select
        *,
        {{ business_date('refunded_at') }} as refunded_on
    from refunds
)

select
    dated.refund_id,
    dated.order_id,
    dated.source,
    dated.refunded_at,
    dated.refunded_on,
    dated.original_currency,
    {{ money('dated.original_amount') }} as original_refund_amount,
    {{ converted('dated.original_amount', rate) }} as refund_amount
from dated
left join {{ ref('int_exchange_rates') }} as rates
    on dated.original_currency = rates.currency
    and dated.refunded_on >= rates.valid_from
    and dated.refunded_on < rates.valid_to
