-- Customer 360: one row per person we could recognise again.
with joined as (
    select
        customer_profiles.*,
        order_facts.order_count,
        order_facts.order_day_count,
        order_facts.units,
        order_facts.gross_revenue_amount,
        order_facts.net_revenue_amount,
        order_facts.first_order_at,
        order_facts.last_order_at,
        {{ days_between('order_facts.last_order_on', as_of_on()) }} as days_since_order,
        order_facts.preferred_channel,
        order_facts.preferred_store_id,
        order_facts.preferred_category,
        order_facts.preferred_hour,
        rfm_scores.r_score,
        rfm_scores.f_score,
        rfm_scores.m_score,
        rfm_scores.rfm_segment,
        thresholds.p40_days,
        thresholds.p80_days
    from {{ ref('customer_profiles') }} as customer_profiles
    left join {{ ref('customer_order_facts') }} as order_facts
        on customer_profiles.customer_id = order_facts.customer_id
    left join {{ ref('rfm_scores') }} as rfm_scores
        on customer_profiles.customer_id = rfm_scores.customer_id
    cross join {{ ref('lifecycle_thresholds') }} as thresholds
)

select
    joined.customer_id,
    joined.first_seen_at,
    joined.full_name,
    joined.given_name,
    joined.family_name,
    {{ salutation('joined.gender', 'joined.age_band') }} as salutation,
    {{ salutation_name('joined.gender', 'joined.age_band', 'joined.given_name') }}
        as salutation_name,
    joined.email,
    joined.phone_e164,
    joined.birth_date,
    joined.birth_year,
    joined.age_band,
    joined.generation,
    joined.gender,
    joined.marital_status,
    joined.occupation,
    joined.income_band,
    joined.country,
    joined.province,
    joined.ward,
    joined.address_original,
    households.household_id,
    joined.loyalty_tier,
    joined.loyalty_enrolled_at,
    joined.preferred_size,
    cast(coalesce(joined.order_count, 0) as integer) as order_count,
    cast(coalesce(joined.order_day_count, 0) as integer) as order_day_count,
    {{ money('coalesce(joined.units, 0)') }} as units,
    {{ money('coalesce(joined.gross_revenue_amount, 0)') }} as gross_revenue_amount,
    {{ money('coalesce(joined.net_revenue_amount, 0)') }} as net_revenue_amount,
    {{ money('joined.gross_revenue_amount / nullif(joined.order_count, 0)') }}
        as average_order_amount,
    joined.first_order_at,
    joined.last_order_at,
    joined.preferred_channel,
    joined.preferred_store_id,
    joined.preferred_category,
    joined.preferred_hour,
    cast(contact_facts.email_sent_count as integer) as email_sent_count,
    cast(contact_facts.email_opened_count as integer) as email_opened_count,
    cast(contact_facts.email_clicked_count as integer) as email_clicked_count,
    cast(contact_facts.web_session_count as integer) as web_session_count,
    cart_facts.last_cart_at,
    cart_facts.last_cart_item,
    cast(coalesce(cart_facts.carts_abandoned_3d, 0) as integer) as carts_abandoned_3d,
    cast(coalesce(cart_facts.orders_since_cart, 0) as integer) as orders_since_cart,
    contact_facts.last_interaction_at,
    contact_facts.nps_score,
    contact_facts.csat_score,
    {{ lifecycle_stage('joined.order_day_count', 'joined.days_since_order',
        'joined.p40_days', 'joined.p80_days') }} as lifecycle_stage,
    joined.r_score,
    joined.f_score,
    joined.m_score,
    coalesce(joined.rfm_segment, 'no_orders') as rfm_segment,
    {{ money("coalesce(joined.net_revenue_amount, 0) * cast('" ~ var('margin_rate')
        ~ "' as decimal(9, 6))") }} as historic_clv_amount,
    {{ money('customer_values.predicted_clv_12m_amount') }} as predicted_clv_12m_amount,
    customer_values.p_alive,
    contact_facts.referred_by_customer_id,
    contact_facts.last_delivered_at,
    cast(contact_facts.open_conversation_count as integer) as open_conversation_count,
    contact_facts.last_topic,
    contact_facts.last_called_at,
    contact_facts.last_call_outcome,
    {{ is_test_customer('joined.email', 'joined.full_name') }} as is_test
from joined
left join {{ ref('customer_contact_facts') }} as contact_facts
    on joined.customer_id = contact_facts.customer_id
left join {{ ref('customer_values') }} as customer_values
    on joined.customer_id = customer_values.customer_id
left join {{ ref('customer_cart_facts') }} as cart_facts
    on joined.customer_id = cart_facts.customer_id
left join {{ ref('customer_households') }} as households
    on joined.customer_id = households.customer_id
