-- What became of the codes that each audience gave, as a whole (sync_id null) and by the sync that
-- carried them. A redemption is the last carrier's before it; codes of own staff do not count.
with given as (
    select offer_code, sync_id, audience, valid_until
    from {{ ref('given_codes') }}
    where customer_id is not null
),

sent as (
    select audience, cast(null as varchar) as sync_id, offer_code, min(valid_until) as valid_until
    from given
    group by audience, offer_code
    union all
    select audience, sync_id, offer_code, valid_until
    from given
),

discounts as (
    select order_id, sum(discount_amount) as discount_amount
    from {{ ref('order_lines') }}
    group by order_id
),

redeemed as (
    select
        redemptions.redemption_id,
        redemptions.offer_code,
        redemptions.campaign_id as sync_id,
        redemptions.redeemed_by,
        redemptions.is_late,
        orders.order_id,
        coalesce(orders.gross_amount, 0) as revenue_amount,
        coalesce(discounts.discount_amount, 0) as discount_amount,
        row_number() over (
            partition by redemptions.offer_code, redemptions.order_id
            order by redemptions.redemption_id asc
        ) as order_rank
    from {{ ref('coupon_redemptions') }} as redemptions
    left join {{ ref('orders') }} as orders
        on redemptions.order_id = orders.order_id and orders.is_completed
    left join discounts on orders.order_id = discounts.order_id
    where redemptions.redeemed_by is not null
),

-- Each counts for its audience as a whole and for its sync.
told as (
    select redeemed.*, '' as level from redeemed
    union all
    select redeemed.*, redeemed.sync_id as level from redeemed
),

summed as (
    select
        sent.audience,
        sent.sync_id,
        count(distinct sent.offer_code) as code_count,
        count(distinct told.offer_code) as redeemed_code_count,
        count(distinct case
            when told.offer_code is null and sent.valid_until > {{ as_of_at() }}
                then sent.offer_code
        end) as open_code_count,
        count(told.redemption_id) as redemption_count,
        {%- for whose in ['holder', 'other', 'unknown'] %}
        count(case when told.redeemed_by = '{{ whose }}' then 1 end)
            as {{ whose }}_redemption_count,
        {%- endfor %}
        count(case when told.is_late then 1 end) as late_redemption_count,
        count(distinct told.order_id) as order_count,
        sum(case when told.order_rank = 1 then told.revenue_amount else 0 end)
            as revenue_amount,
        sum(case when told.order_rank = 1 then told.discount_amount else 0 end)
            as discount_amount
    from sent
    left join told
        on sent.offer_code = told.offer_code
        and coalesce(sent.sync_id, '') = told.level
    group by sent.audience, sent.sync_id
)

select
    audience,
    sync_id,
    'audience:' || audience as offer_id,
    {%- for count in ['code', 'redeemed_code', 'open_code', 'redemption', 'holder_redemption',
        'other_redemption', 'unknown_redemption', 'late_redemption', 'order'] %}
    cast({{ count }}_count as integer) as {{ count }}_count,
    {%- endfor %}
    cast(redeemed_code_count as double) / code_count as redemption_rate,
    {{ money('revenue_amount') }} as revenue_amount,
    {{ money('discount_amount') }} as discount_amount
from summed
