-- Buyers whose last order lies back longer than this business is used to, the most worth first:
-- who to call. Only who has a telephone number and was not promised to be left alone.
with refused as (
    select customer_id, max(case when is_granted then 1 else 0 end) as is_granted
    from {{ ref('consents') }}
    where channel = 'phone' and purpose = 'marketing'
    group by customer_id
),

ranked as (
    select
        customers.customer_id,
        customers.lifecycle_stage,
        {{ days_between(business_date('customers.last_order_at'), as_of_on()) }}
            as days_since_order,
        customers.order_count,
        customers.net_revenue_amount,
        customers.predicted_clv_12m_amount,
        customers.p_alive,
        customers.preferred_store_id,
        customers.preferred_category,
        customers.nps_score,
        customers.last_topic,
        coalesce(refused.is_granted, 0) = 1 as may_be_called,
        row_number() over (
            order by
                coalesce(customers.predicted_clv_12m_amount, 0) desc,
                customers.net_revenue_amount desc,
                customers.customer_id asc
        ) as call_rank
    from {{ ref('customers') }} as customers
    left join refused on customers.customer_id = refused.customer_id
    where customers.lifecycle_stage in ('at_risk', 'lapsed', 'one_and_done')
        and customers.phone_e164 is not null
        and coalesce(refused.is_granted, 1) = 1
        and not customers.is_test
)

select
    customer_id,
    cast(call_rank as integer) as {{ adapter.quote('rank') }},
    lifecycle_stage,
    days_since_order,
    order_count,
    net_revenue_amount,
    predicted_clv_12m_amount,
    preferred_store_id,
    preferred_category,
    nps_score,
    last_topic,
    may_be_called,
    -- After a single purchase p_alive is 1 and says nothing (docs/value-models.md).
    case
        when order_count > 1 and p_alive >= 0.5 then 'expected to buy again'
        when order_count > 1 then 'bought more than once'
        else 'bought once'
    end as reason
from ranked
