-- What might be recommended to whom, and why: what waits in the cart, what others bought who bought
-- the customer's own products, what was looked at, then what sells in the preferred category. Only
-- products of the catalogue that the customer does not have yet; somebody of whom nothing is known
-- has no row, since best sellers are no recommendation to a person.
{{ config(schema='intermediate', materialized='view') }}

with bought as (
    select
        orders.customer_id,
        order_lines.product_id,
        max(orders.ordered_at) as last_ordered_at
    from {{ ref('orders') }} as orders
    inner join {{ ref('order_lines') }} as order_lines on orders.order_id = order_lines.order_id
    where orders.is_completed and orders.customer_id is not null
        and order_lines.product_id is not null
    group by orders.customer_id, order_lines.product_id
),

recent as (
    select customer_id, product_id
    from (
        select
            *,
            row_number() over (
                partition by customer_id order by last_ordered_at desc, product_id asc
            ) as recency_rank
        from bought
    ) as ranked
    where recency_rank <= 3
),

-- The strongest partners of each product: of one order before of one customer, then by lift.
partners as (
    select product_id, other_product_id, lift, confidence
    from (
        select
            *,
            row_number() over (
                partition by product_id order by lift desc, confidence desc, other_product_id asc
            ) as partner_rank
        from (
            select product_id, other_product_id, max(lift) as lift, max(confidence) as confidence
            from {{ ref('product_affinities') }}
            where lift > 1
            group by product_id, other_product_id
        ) as pairs
    ) as ranked
    where partner_rank <= 5
),

sellers as (
    select
        products.product_id,
        products.category,
        row_number() over (
            partition by products.category
            order by count(distinct orders.order_id) desc, products.product_id asc
        ) as category_rank
    from {{ ref('orders') }} as orders
    inner join {{ ref('order_lines') }} as order_lines on orders.order_id = order_lines.order_id
    inner join {{ ref('products') }} as products on order_lines.product_id = products.product_id
    where orders.is_completed and products.is_in_catalogue
        and orders.ordered_at >= {{ plus_minutes(as_of_at(), -90 * 24 * 60) }}
    group by products.product_id, products.category
),

-- `reason_rank` orders the reasons; within one the score does.
candidates as (
    select
        customer_id, last_product_id as product_id, 1 as reason_rank, 'in_cart' as reason,
        cast(null as varchar) as because_product_id, 1.0 as score
    from (
        select
            *,
            row_number() over (
                partition by customer_id order by last_activity_at desc, cart_id asc
            ) as cart_rank
        from {{ ref('carts') }}
        where customer_id is not null and is_abandoned and not is_recovered
            and last_activity_at >= {{ plus_minutes(as_of_at(), -14 * 24 * 60) }}
    ) as carts
    where cart_rank = 1
    union all
    select
        recent.customer_id, partners.other_product_id, 2, 'bought_with', recent.product_id,
        partners.lift
    from recent
    inner join partners on recent.product_id = partners.product_id
    union all
    select
        customer_id, product_id, 3, 'viewed', cast(null as varchar), cast(count(*) as double)
    from {{ ref('int_web_events') }}
    where event = 'Product Viewed' and customer_id is not null and product_id is not null
        and occurred_at >= {{ plus_minutes(as_of_at(), -14 * 24 * 60) }}
    group by customer_id, product_id
    union all
    select
        customers.customer_id, sellers.product_id, 4, 'popular_in_category',
        cast(null as varchar), 1.0 / sellers.category_rank
    from {{ ref('customers') }} as customers
    inner join sellers
        on customers.preferred_category = sellers.category
        -- Three are shown, and the customer may have the best ones already.
        and sellers.category_rank <= 6
)

select
    candidates.customer_id,
    candidates.product_id,
    candidates.reason_rank,
    candidates.reason,
    candidates.because_product_id,
    candidates.score
from candidates
inner join {{ ref('products') }} as products
    on candidates.product_id = products.product_id and products.is_in_catalogue
inner join {{ ref('known_customers') }} as known_customers
    on candidates.customer_id = known_customers.customer_id
left join bought
    on candidates.customer_id = bought.customer_id
    and candidates.product_id = bought.product_id
where bought.product_id is null
