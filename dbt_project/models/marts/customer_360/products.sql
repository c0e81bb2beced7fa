-- The catalogue, and every product that was ever sold without being in it.
with sold as (
    select
        product_id,
        min(source) as source,
        max(product_name) as product_name
    from {{ ref('int_order_lines') }}
    where product_id is not null
    group by product_id
)

select
    coalesce(catalogue.product_id, sold.product_id) as product_id,
    coalesce(catalogue.source, sold.source) as source,
    catalogue.sku,
    coalesce(catalogue.product_name, sold.product_name) as product_name,
    {{ or_unknown('catalogue.category') }} as category,
    {{ or_unknown('catalogue.brand') }} as brand,
    {{ money('catalogue.price_amount') }} as price_amount,
    catalogue.product_id is not null as is_in_catalogue
from {{ ref('int_products') }} as catalogue
full outer join sold on catalogue.product_id = sold.product_id
