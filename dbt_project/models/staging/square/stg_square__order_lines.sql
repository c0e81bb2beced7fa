{{ config(materialized='table') }}

-- What was sold, after discounts; taxes that are added are beside it, included ones are in it.
with lines as (
    select
        *,
        {{ json_elements('line_items') }} as line
    from {{ ref('base_square__orders') }}
    where not coalesce(_is_deleted, false) and not {{ is_square_return('base_square__orders') }}
),

amounts as (
    select
        *,
        cast({{ json_text('line', 'quantity') }} as decimal(18, 4)) as quantity,
        {{ major_units(json_text('line', 'gross_sales_money.amount'), 'total_currency') }} as gross,
        coalesce(
            {{ major_units(json_text('line', 'total_discount_money.amount'), 'total_currency') }}, 0
        ) as line_discount
    from lines
)

{{ as_entity('order_lines', 'amounts', {
    'order_line_id': "id || ':' || " ~ json_text('line', 'uid'),
    'order_id': 'id',
    'product_id': json_text('line', 'catalog_object_id'),
    'product_name': json_text('line', 'name'),
    'units': 'quantity',
    'unit_price': 'gross / nullif(quantity, 0)',
    'discount': 'line_discount',
    'line_amount': 'gross - line_discount',
    'currency': 'total_currency',
    'updated_at': 'updated_at',
}) }}
