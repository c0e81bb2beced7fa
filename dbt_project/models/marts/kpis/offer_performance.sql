-- What an offer sold, as a whole and per segment of those who redeemed it, on the day they did. An
-- order that used two offers counts with each of them. Every offer has its row under `all`.
with discounts as (
    select order_id, sum(discount_amount) as discount_amount
    from {{ ref('order_lines') }}
    group by order_id
),

ranked as (
    select
        redemptions.offer_id,
        redemptions.customer_id,
        customers.customer_number,
        {{ business_date('redemptions.redeemed_at') }} as on_date,
        redemptions.is_late,
        orders.gross_amount,
        discounts.discount_amount,
        orders.ordered_at = facts.first_order_at as is_first_order,
        -- An order counts once however often its offer was redeemed on it.
        orders.order_id is not null and row_number() over (
            partition by redemptions.offer_id, redemptions.order_id
            order by redemptions.redemption_id asc
        ) = 1 as is_order
    from {{ ref('coupon_redemptions') }} as redemptions
    left join {{ ref('kpi_customers') }} as customers
        on redemptions.customer_id = customers.customer_id
    left join {{ ref('orders') }} as orders
        on redemptions.order_id = orders.order_id and orders.is_completed
    left join discounts on orders.order_id = discounts.order_id
    left join {{ ref('customer_order_facts') }} as facts
        on orders.customer_id = facts.customer_id
),

redeemed as (
    select
        offer_id,
        customer_id,
        on_date,
        customer_number,
        case when is_late then 1 else 0 end as is_late,
        case when is_first_order then customer_number end as new_customer_number,
        case when is_order then 1 else 0 end as is_order,
        case when is_order then gross_amount end as revenue_amount,
        case when is_order then discount_amount end as discount_amount
    from ranked
    where offer_id is not null
),

segmented as (
    {{ with_segments('redeemed') }}
),

-- Numbers for people: DuckDB keeps what a count(distinct) has seen in memory.
summed as (
    select
        offer_id,
        segment_kind,
        segment_id,
        count(*) as redemption_count,
        sum(is_late) as late_redemption_count,
        count(distinct customer_number) as customer_count,
        count(distinct new_customer_number) as new_customer_count,
        sum(is_order) as order_count,
        sum(revenue_amount) as revenue_amount,
        sum(discount_amount) as discount_amount
    from segmented
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
