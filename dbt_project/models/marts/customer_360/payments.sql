select
    payment_id,
    {{ source_key('payment_id') }} as source_payment_id,
    order_id,
    source,
    {{ or_unknown('method') }} as method,
    paid_at,
    {{ money('amount') }} as amount,
    original_currency,
    {{ money('original_amount') }} as original_amount
from {{ ref('int_payments') }}
