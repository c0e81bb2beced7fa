-- What customers did, as the rules of segments judge it at as_of. A share over nothing is null.
with touches as (
    select
        customer_id,
        count(distinct case when direction = 'inbound' then conversation_id end)
        + sum(case when kind in ('review', 'referral', 'survey') then 1 else 0 end)
            as dialogue_count,
        sum(case when kind = 'referral' then 1 else 0 end) as referral_count,
        sum(case when kind = 'appointment' and occurred_at < {{ as_of_at() }} then 1 else 0 end)
            as service_count,
        max(
            case
                when channel = 'store' and kind in ('visit', 'advice', 'appointment')
                    and occurred_at < {{ as_of_at() }}
                    then {{ business_date('occurred_at') }}
            end
        ) as store_visit_on
    from {{ ref('interactions') }}
    where kind in (
            'message', 'call', 'review', 'referral', 'survey', 'visit', 'advice', 'appointment'
        )
        and customer_id is not null
        -- An appointment that was not kept is no visit.
        and coalesce(outcome, '') not in ('cancelled', 'canceled', 'no_show')
    group by customer_id
),

web_sessions as (
    select customer_id, count(*) as recent_session_count
    from {{ ref('sessions') }}
    where customer_id is not null
        and {{ business_date('started_at') }}
        >= {{ days_after(as_of_on(), '-1 * ' ~ threshold('repeat_browser_days')) }}
    group by customer_id
),

abandonments as (
    select customer_id, max({{ business_date('last_activity_at') }}) as abandoned_on
    from {{ ref('carts') }}
    where is_abandoned and item_count > 0 and customer_id is not null
    group by customer_id
),

mails as (
    select
        customer_id, campaign_id, member_id,
        max(case when kind = 'sent' then {{ business_date('occurred_at') }} end) as sent_on,
        max(case when kind in ('open', 'click') then 1 else 0 end) as is_read
    from {{ ref('int_email_events') }}
    where customer_id is not null and kind in ('sent', 'open', 'click')
    group by customer_id, campaign_id, member_id
),

readers as (
    select customer_id, count(*) as recent_email_count, sum(is_read) as read_count
    from mails
    where sent_on >= {{ days_after(as_of_on(), '-1 * ' ~ threshold('email_window_days')) }}
    group by customer_id
),

returns_from_lapse as (
    select customer_id, max(valid_from) as won_back_on
    from {{ ref('lifecycle_intervals') }}
    where previous_stage in ('lapsed', 'one_and_done')
        and stage not in ('lapsed', 'one_and_done')
    group by customer_id
),

-- A ward where few customers live would point at people: it goes with the other small ones.
wards as (
    select
        customer_id,
        case
            when ward = 'unknown' then 'unknown'
            when count(*) over (partition by country, province, ward)
                < {{ threshold('smallest_ward_segment') }} then 'other'
            else province || ', ' || ward
        end as ward_group
    from {{ ref('customer_profiles') }}
)

select
    wards.customer_id,
    wards.ward_group,
    {{ days_between('facts.last_order_on', as_of_on()) }} as days_since_order,
    cast(coalesce(baskets.discount_order_count, 0) as integer) as discount_order_count,
    cast(baskets.discount_order_count as double) / facts.order_count as discount_order_share,
    {{ money('coalesce(baskets.judged_units, 0)') }} as judged_units,
    cast(baskets.discount_units / nullif(baskets.judged_units, 0) as double)
        as discount_unit_share,
    cast(baskets.new_product_units / nullif(baskets.judged_units, 0) as double)
        as new_product_share,
    cast(baskets.high_price_units / nullif(baskets.priced_units, 0) as double)
        as high_price_share,
    cast(
        (facts.gross_revenue_amount - facts.net_revenue_amount)
        / nullif(facts.gross_revenue_amount, 0) as double
    ) as return_share,
    case
        when coalesce(baskets.store_order_count, 0) = 0 then 'unknown'
        when baskets.preferred_store_order_count >= {{ threshold('preference_orders') }}
            and baskets.preferred_store_order_count
            >= {{ threshold('preference_share') }} * baskets.store_order_count
            then facts.preferred_store_id
        else 'mixed'
    end as store_affinity,
    case
        when facts.preferred_category is null then 'unknown'
        when baskets.preferred_category_order_count >= {{ threshold('preference_orders') }}
            and baskets.preferred_category_units
            >= {{ threshold('preference_share') }} * baskets.category_units
            then facts.preferred_category
        else 'mixed'
    end as category_affinity,
    {{ days_between('abandonments.abandoned_on', as_of_on()) }} as days_since_abandoned_cart,
    cast(coalesce(web_sessions.recent_session_count, 0) as integer) as recent_session_count,
    cast(coalesce(readers.recent_email_count, 0) as integer) as recent_email_count,
    cast(readers.read_count as double) / readers.recent_email_count as email_read_share,
    cast(coalesce(touches.referral_count, 0) as integer) as referral_count,
    cast(coalesce(touches.dialogue_count, 0) as integer) as dialogue_count,
    cast(coalesce(touches.service_count, 0) as integer) as service_count,
    {{ days_between('touches.store_visit_on', as_of_on()) }} as days_since_store_visit,
    touches.store_visit_on is not null
    and coalesce(facts.last_order_on >= touches.store_visit_on, false)
        as has_bought_since_store_visit,
    {{ days_between('returns_from_lapse.won_back_on', as_of_on()) }} as days_since_won_back
from wards
left join {{ ref('customer_order_facts') }} as facts on wards.customer_id = facts.customer_id
left join {{ ref('customer_baskets') }} as baskets on wards.customer_id = baskets.customer_id
left join touches on wards.customer_id = touches.customer_id
left join web_sessions on wards.customer_id = web_sessions.customer_id
left join abandonments on wards.customer_id = abandonments.customer_id
left join readers on wards.customer_id = readers.customer_id
left join returns_from_lapse on wards.customer_id = returns_from_lapse.customer_id
