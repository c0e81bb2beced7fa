{{ config(materialized='view') }}

-- What is sold, and named on an order's lines, is a variation of an item.
with variations as (
    select
        items.*,
        {{ json_elements(json_text('items.item_data', 'variations')) }} as variation
    from {{ ref('base_square__catalog') }} as items
    where items.type = 'ITEM' and not coalesce(items._is_deleted, false)
),

products as (
    select
        variations.*,
        {{ json_text('categories.category_data', 'name') }} as category_name,
        {{ json_text('variations.variation', 'item_variation_data.price_money.currency') }}
            as currency
    from variations
    left join {{ ref('base_square__catalog') }} as categories
        on variations.source = categories.source
        and categories.id = coalesce(
            {{ json_text('variations.item_data', 'categories[0].id') }},
            {{ json_text('variations.item_data', 'category_id') }}
        )
)

{{ as_entity('products', 'products', {
    'product_id': json_text('variation', 'id'),
    'sku': json_text('variation', 'item_variation_data.sku'),
    'product_name': json_text('item_data', 'name'),
    'category': 'category_name',
    'price': major_units(json_text('variation', 'item_variation_data.price_money.amount'),
        'currency'),
    'currency': 'currency',
    'updated_at': 'updated_at',
}) }}
