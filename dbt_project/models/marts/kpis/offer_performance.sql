-- What an offer sold, as a whole and per segment of those who redeemed it, on the day they did. An
-- order that used two offers counts with each of them. Every offer has its row under `all`.
with discounts as (
    select order_id, sum(discount_amount) as discount_amount
    from {{ ref('order_lines') }}
    group by order_id
),

redeemed as (
    select
        redemptions.offer_id,
        redemptions.customer_id,
        {{ business_date('redemptions.redeemed_at') }} as on_date,
        redemptions.redemption_id,
        redemptions.is_late,
        orders.order_id,
        coalesce(orders.gross_amount, 0) as revenue_amount,
        coalesce(discounts.discount_amount, 0) as discount_amount,
        case when orders.ordered_at = facts.first_order_at then orders.customer_id end
            as new_customer_id,
        -- An order counts once however often its offer was redeemed on it.
        row_number() over (
            partition by redemptions.offer_id, redemptions.order_id
            order by redemptions.redemption_id asc
        ) as order_rank
    from {{ ref('coupon_redemptions') }} as redemptions
    left join {{ ref('orders') }} as orders
        on redemptions.order_id = orders.order_id and orders.is_completed
    left join discounts on orders.order_id = discounts.order_id
    left join {{ ref('customer_order_facts') }} as facts
        on orders.customer_id = facts.customer_id
),

segmented as (
    {{ with_segments('redeemed') }}
),

summed as (
    select
        offer_id,
        segment_kind,
        segment_id,
        count(*) as redemption_count,
        count(case when is_late then 1 end) as late_redemption_count,
        count(distinct customer_id) as customer_count,
        count(distinct new_customer_id) as new_customer_count,
        count(distinct order_id) as order_count,
        sum(case when order_rank = 1 then revenue_amount else 0 end) as revenue_amount,
        sum(case when order_rank = 1 then discount_amount else 0 end) as discount_amount
    from segmented
    where offer_id is not null
    group by offer_id, segment_kind, segment_id
)

select
    offers.offer_id,
    coalesce(summed.segment_kind, 'all') as segment_kind,
    summed.segment_id,
    {%- for count in ['redemption', 'late_redemption', 'customer', 'new_customer', 'order'] %}
    cast(coalesce(summed.{{ count }}_count, 0) as integer) as {{ count }}_count,
    {%- endfor %}
    {{ money('coalesce(summed.revenue_amount, 0)') }} as revenue_amount,
    {{ money('coalesce(summed.discount_amount, 0)') }} as discount_amount,
    cast(
        (summed.revenue_amount - summed.discount_amount)
        / nullif(summed.discount_amount, 0) as double
    ) as return_rate
from {{ ref('offers') }} as offers
left join summed on offers.offer_id = summed.offer_id
