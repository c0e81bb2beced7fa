select
    order_id || ':' || coupon_code as redemption_id,
    coupon_code as offer_id,
    order_id,
    customer_id,
    ordered_at as redeemed_at
from {{ ref('orders') }}
where coupon_code is not null and status <> 'cancelled'
