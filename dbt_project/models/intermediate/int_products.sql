-- One product of the assortment. Shops and tills share product numbers; the later word counts.
with ranked as (
    select
        products.*,
        coalesce(products.currency, sources.currency) as original_currency,
        row_number() over (
            partition by products.product_id
            order by products.updated_at desc nulls last, products.source asc
        ) as version_rank
    from {{ entity_rows('products') }} as products
    left join {{ ref('int_sources') }} as sources on products.source = sources.source
)

select
    ranked.product_id,
    ranked.source,
    ranked.sku,
    ranked.product_name,
    ranked.category,
    ranked.brand,
    ranked.original_currency,
    {{ money('ranked.price') }} as original_price_amount,
    {{ converted('ranked.price', 'rates.rate') }} as price_amount,
    ranked.updated_at
from ranked
left join {{ ref('int_exchange_rates') }} as rates
    on ranked.original_currency = rates.currency
    and rates.valid_from <= {{ as_of_on() }}
    and rates.valid_to > {{ as_of_on() }}
where ranked.version_rank = 1
