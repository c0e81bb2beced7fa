{{ config(unique_key=['source', 'id'], meta={'raw_table': 'shopify.line_items'}) }}

{#- A discount on the whole order is allocated to its lines, in money. -#}
{%- set discount = json_sum('discount_allocations', 'allocatedAmountSet.shopMoney.amount') -%}
{{ latest_rows(
    'shopify.line_items',
    keys=['id'],
    order_by=[],
    derived=spoken_as('order_lines', 'shopify.line_items', {
        'order_line_id': shopify_key('id'),
        'order_id': shopify_key('order_gid'),
        'product_id': 'coalesce(' ~ shopify_key('variant_gid') ~ ', ' ~ shopify_key('product_gid')
            ~ ')',
        'product_name': "title || coalesce(' - ' || nullif(variant_title, 'Default Title'), '')",
        'units': 'cast(quantity as decimal(18, 4))',
        'unit_price': 'original_unit_price',
        'discount': discount,
        'line_amount': 'cast(quantity * original_unit_price - ' ~ discount
            ~ ' as decimal(18, 4))',
        'currency': 'currency_code',
    }),
) }}
