{% set rate = rate_or_one('rates.rate', 'lines.original_currency') -%}
-- One line of one order, in its own currency and in the reporting currency at the order's day.
with lines as (
    select
        lines.source || ':' || lines.order_line_id as order_line_id,
        orders.order_id,
        lines.source,
        lines.product_id,
        lines.product_name,
        lines.units,
        coalesce(lines.currency, orders.currency) as original_currency,
        lines.unit_price as original_unit_price_amount,
        lines.discount as original_discount_amount,
        -- Not every till writes the total of a line.
        coalesce(
            lines.line_amount,
            cast(lines.units as decimal(38, 4)) * lines.unit_price - coalesce(lines.discount, 0)
        ) as original_line_amount,
        orders.ordered_on
    from {{ entity_rows_once('order_lines', 'order_line_id') }} as lines
    left join {{ ref('int_orders') }} as orders
        on lines.namespace = orders.namespace and lines.order_id = orders.source_order_id
)

select
    lines.order_line_id,
    lines.order_id,
    lines.source,
    lines.product_id,
    lines.product_name,
    {{ money('lines.units') }} as units,
    lines.original_currency,
    {{ money('lines.original_unit_price_amount') }} as original_unit_price_amount,
    {{ money('lines.original_discount_amount') }} as original_discount_amount,
    {{ money('lines.original_line_amount') }} as original_line_amount,
    {{ converted('lines.original_unit_price_amount', rate) }} as unit_price_amount,
    {{ converted('lines.original_discount_amount', rate) }} as discount_amount,
    {{ converted('lines.original_line_amount', rate) }} as line_amount
from lines
left join {{ ref('int_exchange_rates') }} as rates
    on lines.original_currency = rates.currency
    and lines.ordered_on >= rates.valid_from
    and lines.ordered_on < rates.valid_to
