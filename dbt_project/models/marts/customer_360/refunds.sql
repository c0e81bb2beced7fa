select
    refund_id,
    {{ source_key('refund_id') }} as source_refund_id,
    order_id,
    source,
    refunded_at,
    refunded_on,
    {{ money('refund_amount') }} as refund_amount,
    original_currency,
    {{ money('original_refund_amount') }} as original_refund_amount
from {{ ref('int_refunds') }}
