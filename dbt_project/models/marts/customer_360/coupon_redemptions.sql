-- Coupons used: as a source tells it, and codes on orders that no source tells of. A code that one
-- of our syncs gave to one person is known by its letters; small ones and blanks are forgiven.
with own_codes as (
    select
        offer_code,
        min(offer_id) as offer_id,
        min(customer_id) as customer_id,
        min(valid_until) as valid_until
    from {{ ref('given_codes') }}
    group by offer_code
),

codes as (
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
        coalesce(offers.offer_id, own_codes.offer_id, codes.offer_id) as offer_id,
        coalesce(own_codes.offer_code, offers.offer_code, told.offer_id) as offer_code,
        shop_orders.order_id,
        coalesce(record_customers.customer_id, shop_orders.customer_id) as customer_id,
        told.redeemed_at
    from {{ entity_rows('coupon_redemptions') }} as told
    left join {{ ref('offers') }} as offers on told.offer_id = offers.offer_id
    left join own_codes on upper(trim(told.offer_id)) = own_codes.offer_code
    left join codes on told.offer_id = codes.offer_code
    left join shop_orders on told.order_id = shop_orders.source_order_id
    left join {{ ref('int_record_customers') }} as record_customers
        on told.source = record_customers.source
        and record_customers.record_kind = 'coupon_redemptions'
        and told.redemption_id = record_customers.record_id
),

used as (
    select
        told.redemption_id,
        told.source,
        told.offer_id,
        told.offer_code,
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
        coalesce(own_codes.offer_id, codes.offer_id),
        coalesce(own_codes.offer_code, orders.coupon_code),
        orders.order_id,
        orders.customer_id,
        orders.ordered_at
    from {{ ref('orders') }} as orders
    left join own_codes on upper(trim(orders.coupon_code)) = own_codes.offer_code
    left join codes on orders.coupon_code = codes.offer_code
    where orders.coupon_code is not null
        and orders.status <> 'cancelled'
        and not exists (
            select 1
            from told
            where told.order_id = orders.order_id
                and told.offer_id = coalesce(own_codes.offer_id, codes.offer_id)
        )
),

-- The last sync that carried the code before it was used; where a source tells the day alone, any.
carried as (
    select
        used.redemption_id,
        given_codes.sync_id,
        row_number() over (
            partition by used.redemption_id
            order by
                case when given_codes.carried_at <= used.redeemed_at then 0 else 1 end asc,
                given_codes.carried_at desc, given_codes.sync_id asc
        ) as carrier_rank
    from used
    inner join {{ ref('given_codes') }} as given_codes
        on used.offer_code = given_codes.offer_code
)

select
    used.redemption_id,
    used.source,
    used.offer_id,
    used.order_id,
    used.customer_id,
    used.redeemed_at,
    used.offer_code,
    coalesce(carried.sync_id, offers.campaign_id) as campaign_id,
    own_codes.customer_id as given_to_customer_id,
    case
        when own_codes.offer_code is null then null
        when own_codes.customer_id = used.customer_id then 'holder'
        when own_codes.customer_id <> used.customer_id then 'other'
        else 'unknown'
    end as redeemed_by,
    case
        when own_codes.offer_code is not null then used.redeemed_at >= own_codes.valid_until
        else used.redeemed_at > offers.valid_to
    end as is_late
from used
left join own_codes on used.offer_code = own_codes.offer_code
left join carried on used.redemption_id = carried.redemption_id and carried.carrier_rank = 1
left join {{ ref('offers') }} as offers on used.offer_id = offers.offer_id
