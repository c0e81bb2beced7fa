{{ config(materialized='table') }}

-- `subtotal` is before discounts, `total` after; tax is beside both, as the shop delivers it.
with lines as (
    select
        *,
        {{ json_elements('line_items') }} as line
    from {{ ref('base_woocommerce__orders') }}
    where not coalesce(_is_deleted, false)
),

amounts as (
    select
        *,
        cast({{ json_text('line', 'quantity') }} as decimal(18, 4)) as quantity,
        cast({{ json_text('line', 'subtotal') }} as decimal(18, 4)) as subtotal,
        cast({{ json_text('line', 'total') }} as decimal(18, 4)) as line_total
    from lines
)

{{ as_entity('order_lines', 'amounts', {
    'order_line_id': json_text('line', 'id'),
    'order_id': 'id',
    'product_id': json_text('line', 'product_id'),
    'product_name': json_text('line', 'name'),
    'units': 'quantity',
    'unit_price': 'subtotal / nullif(quantity, 0)',
    'discount': 'subtotal - line_total',
    'line_amount': 'line_total',
    'currency': 'currency',
    'updated_at': 'date_modified_gmt',
}) }}
