-- Coupons used: as a source tells it, and codes on orders that no source tells of.
with codes as (
    select offer_code, min(offer_id) as offer_id
    from {{ ref('offers') }}
    group by offer_code
),

-- A number that two shops gave to an order names none.
shop_orders as (
    select source_order_id, min(order_id) as order_id, min(customer_id) as customer_id
    from {{ ref('orders') }}
    group by source_order_id
    having count(*) = 1
),

told as (
    select
        told.source || ':' || told.redemption_id as redemption_id,
        told.source,
        coalesce(offers.offer_id, codes.offer_id) as offer_id,
        shop_orders.order_id,
        coalesce(record_customers.customer_id, shop_orders.customer_id) as customer_id,
        told.redeemed_at
    from {{ entity_rows('coupon_redemptions') }} as told
    left join {{ ref('offers') }} as offers on told.offer_id = offers.offer_id
    left join codes on told.offer_id = codes.offer_code
    left join shop_orders on told.order_id = shop_orders.source_order_id
    left join {{ ref('int_record_customers') }} as record_customers
        on told.source = record_customers.source
        and record_customers.record_kind = 'coupon_redemptions'
        and told.redemption_id = record_customers.record_id
)

select
    told.redemption_id,
    told.source,
    told.offer_id,
    told.order_id,
    known_customers.customer_id,
    told.redeemed_at
from told
left join {{ ref('known_customers') }} as known_customers
    on told.customer_id = known_customers.customer_id
union all
select
    orders.order_id || ':' || orders.coupon_code,
    orders.source,
    codes.offer_id,
    orders.order_id,
    orders.customer_id,
    orders.ordered_at
from {{ ref('orders') }} as orders
left join codes on orders.coupon_code = codes.offer_code
where orders.coupon_code is not null
    and orders.status <> 'cancelled'
    and not exists (
        select 1
        from told
        where told.order_id = orders.order_id and told.offer_id = codes.offer_id
    )
