-- What KPIs are sliced by of a customer, when somebody became one, and a number to count by: text
-- keys take several times as long to tell apart.
{{ config(schema='intermediate') }}

-- Whoever was brought by somebody else, also where nobody knows by whom.
with referred as (
    select distinct referred.customer_id
    from {{ entity_rows('referrals') }} as referrals
    inner join {{ ref('int_record_customers') }} as referred
        on referrals.source = referred.source
        and referred.record_kind = 'referrals'
        and referrals.referral_id = referred.record_id
    left join {{ ref('int_record_customers') }} as referrer
        on referrals.source = referrer.source
        and referrer.record_kind = 'referrers'
        and referrals.referral_id = referrer.record_id
    where referrer.customer_id is null or referred.customer_id <> referrer.customer_id
)

select
    customers.customer_id,
    row_number() over (order by customers.customer_id asc) as customer_number,
    known_customers.identified_at,
    customers.generation,
    customers.age_band,
    customers.gender,
    customers.province,
    customers.country,
    customers.loyalty_enrolled_at,
    referred.customer_id is not null as is_referred,
    customers.first_order_at
from {{ ref('customers') }} as customers
inner join {{ ref('known_customers') }} as known_customers
    on customers.customer_id = known_customers.customer_id
left join referred on customers.customer_id = referred.customer_id
