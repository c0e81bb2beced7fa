-- Codes seen on orders. No source declares an offer's validity yet, so it is not guessed.
select distinct
    coupon_code as offer_id,
    coupon_code as offer_code,
    cast(null as timestamp) as valid_from,
    cast(null as timestamp) as valid_to
from {{ ref('orders') }}
where coupon_code is not null
