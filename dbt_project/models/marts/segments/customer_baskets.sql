-- What completed orders of a customer consist of: discounts, new and dear products, favourites. The
-- sums are cast: as wide as they come, they take ten times as long to read.
{{ config(schema='intermediate') }}

with coupons as (
    select distinct order_id
    from {{ ref('coupon_redemptions') }}
    where order_id is not null
),

-- How dear a product is within its category, from 0 to 1; null without a price in the catalogue.
products as (
    select
        product_id,
        category,
        price_amount,
        percent_rank() over (
            partition by category, case when price_amount is null then 1 else 0 end
            order by price_amount asc nulls last
        ) as price_rank
    from {{ ref('products') }}
),

-- What was sold in the first days of the data may have been there long before.
launches as (
    select
        order_lines.product_id,
        min(orders.ordered_on) as launched_on,
        min(min(orders.ordered_on)) over () as first_on
    from {{ ref('order_lines') }} as order_lines
    inner join {{ ref('orders') }} as orders on order_lines.order_id = orders.order_id
    where orders.is_completed
    group by order_lines.product_id
),

judged as (
    select
        orders.customer_id,
        orders.order_id,
        orders.store_id,
        lines.units,
        lines.discount_amount > 0 as is_discounted,
        case when products.price_amount is not null then products.price_rank end as price_rank,
        products.category,
        facts.preferred_category,
        facts.preferred_store_id,
        {{ days_between('launches.first_on', 'launches.launched_on') }}
        > {{ threshold('new_product_days') }}
        and {{ days_between('launches.launched_on', 'orders.ordered_on') }}
        <= {{ threshold('new_product_days') }} as is_new
    from {{ ref('orders') }} as orders
    inner join {{ ref('customer_order_facts') }} as facts
        on orders.customer_id = facts.customer_id
    left join {{ ref('order_lines') }} as lines
        on orders.order_id = lines.order_id and lines.units > 0
    left join products on lines.product_id = products.product_id
    left join launches on lines.product_id = launches.product_id
    where orders.is_completed
),

-- One row per order; the units of a customer are the sums of its orders'.
orders_judged as (
    select
        customer_id,
        order_id,
        max(case when is_discounted then 1 else 0 end) as has_discount,
        max(case when store_id is not null then 1 else 0 end) as is_in_store,
        max(case when store_id = preferred_store_id then 1 else 0 end) as is_in_preferred_store,
        max(case when category = preferred_category then 1 else 0 end) as has_preferred_category,
        {% for name, condition in {
            'discount': 'is_discounted', 'new_product': 'is_new',
            'priced': 'price_rank is not null',
            'high_price': 'price_rank >= ' ~ threshold('quality_price_rank'),
            'category': "category <> 'unknown'",
            'preferred_category': 'category = preferred_category',
        }.items() -%}
        sum(case when {{ condition }} then units else 0 end) as {{ name }}_units,
        {% endfor -%}
        coalesce(sum(units), 0) as units
    from judged
    group by customer_id, order_id
)

select
    orders_judged.customer_id,
    cast(
        sum(
            case
                when orders_judged.has_discount = 1 or coupons.order_id is not null then 1 else 0
            end
        ) as integer
    ) as discount_order_count,
    cast(sum(orders_judged.is_in_store) as integer) as store_order_count,
    cast(sum(orders_judged.is_in_preferred_store) as integer) as preferred_store_order_count,
    cast(sum(orders_judged.has_preferred_category) as integer) as preferred_category_order_count,
    {{ money('sum(orders_judged.units)') }} as judged_units,
    {{ money('sum(orders_judged.discount_units)') }} as discount_units,
    {{ money('sum(orders_judged.new_product_units)') }} as new_product_units,
    {{ money('sum(orders_judged.priced_units)') }} as priced_units,
    {{ money('sum(orders_judged.high_price_units)') }} as high_price_units,
    {{ money('sum(orders_judged.category_units)') }} as category_units,
    {{ money('sum(orders_judged.preferred_category_units)') }} as preferred_category_units
from orders_judged
left join coupons on orders_judged.order_id = coupons.order_id
group by orders_judged.customer_id
