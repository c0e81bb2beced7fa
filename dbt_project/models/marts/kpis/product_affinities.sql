-- What is bought with what: pairs of products in one order, and of one customer over all orders.
-- An order or customer with very many products (a reseller) says nothing of any pair and is left
-- out; a pair must be seen often enough to be told apart from chance.
{% set scopes = {'order': 'order_id', 'customer': 'customer_id'} %}
with sold as (
    select distinct orders.order_id, orders.customer_id, order_lines.product_id
    from {{ ref('orders') }} as orders
    inner join {{ ref('order_lines') }} as order_lines on orders.order_id = order_lines.order_id
    where orders.is_completed and order_lines.product_id is not null
),

baskets as (
    {% for scope, key in scopes.items() -%}
    select distinct '{{ scope }}' as scope, {{ key }} as basket_id, product_id
    from sold
    where {{ key }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

sizes as (
    select scope, basket_id
    from baskets
    group by scope, basket_id
    having count(*) <= {{ threshold('affinity_most_products') }}
),

held as (
    select baskets.scope, baskets.basket_id, baskets.product_id
    from baskets
    inner join sizes
        on baskets.scope = sizes.scope and baskets.basket_id = sizes.basket_id
),

totals as (
    select scope, count(distinct basket_id) as total_count from held
    group by scope
),

products as (
    select scope, product_id, count(*) as product_count from held
    group by scope, product_id
),

pairs as (
    select one.scope, one.product_id, other.product_id as other_product_id, count(*) as pair_count
    from held as one
    inner join held as other
        on one.scope = other.scope
        and one.basket_id = other.basket_id
        and one.product_id <> other.product_id
    group by one.scope, one.product_id, other.product_id
    having count(*) >= {{ threshold('affinity_least_pairs') }}
)

select
    pairs.scope,
    pairs.product_id,
    pairs.other_product_id,
    case
        when one.category = other.category and other.price_amount > one.price_amount then 'up_sell'
        else 'cross_sell'
    end as kind,
    cast(pairs.pair_count as integer) as pair_count,
    cast(products.product_count as integer) as product_count,
    cast(others.product_count as integer) as other_product_count,
    cast(totals.total_count as integer) as total_count,
    cast(pairs.pair_count as double) / totals.total_count as support,
    cast(pairs.pair_count as double) / products.product_count as confidence,
    cast(pairs.pair_count as double) * totals.total_count
    / (cast(products.product_count as double) * others.product_count) as lift
from pairs
inner join totals on pairs.scope = totals.scope
inner join products
    on pairs.scope = products.scope and pairs.product_id = products.product_id
inner join products as others
    on pairs.scope = others.scope and pairs.other_product_id = others.product_id
left join {{ ref('products') }} as one on pairs.product_id = one.product_id
left join {{ ref('products') }} as other on pairs.other_product_id = other.product_id
