select
    order_line_id,
    {{ source_key('order_line_id') }} as source_order_line_id,
    order_id,
    source,
    product_id,
    product_name,
    {{ money('units') }} as units,
    {{ money('unit_price_amount') }} as unit_price_amount,
    {{ money('coalesce(discount_amount, 0)') }} as discount_amount,
    {{ money('line_amount') }} as line_amount,
    original_currency,
    {{ money('original_unit_price_amount') }} as original_unit_price_amount,
    {{ money('coalesce(original_discount_amount, 0)') }} as original_discount_amount,
    {{ money('original_line_amount') }} as original_line_amount
from {{ ref('int_order_lines') }}
