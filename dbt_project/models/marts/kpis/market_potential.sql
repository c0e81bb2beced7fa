-- Every province with its people, what we know and sell there, and what it could be worth. All
-- provinces are there, those where nobody bought yet too; `unknown` keeps the totals whole.
with consented as (
    select distinct customer_id from {{ ref('consents') }}
    where is_granted and purpose = 'marketing'
),

spent as (
    select
        customers.province,
        count(*) as customer_count,
        count(case when customers.order_count > 0 then 1 end) as buyer_count,
        count(
            case
                when consented.customer_id is not null
                    and (customers.email is not null or customers.phone_e164 is not null)
                    then 1
            end
        ) as reachable_count,
        sum(customers.net_revenue_amount) as net_revenue_amount
    from {{ ref('customers') }} as customers
    left join consented on customers.customer_id = consented.customer_id
    group by customers.province
),

visits as (
    select customers.province, count(*) as session_count
    from {{ ref('sessions') }} as sessions
    inner join {{ ref('customers') }} as customers on sessions.customer_id = customers.customer_id
    group by customers.province
),

shops as (
    select province, count(*) as store_count from {{ ref('stores') }}
    group by province
),

people as (
    select province, population_count
    from {{ vocabulary('province_population', {
        'province': 'varchar', 'population_count': 'bigint',
    }) }} as population
),

provinces as (
    select province from people
    union
    select province from spent
    union
    select province from shops
),

joined as (
    select
        provinces.province,
        people.population_count,
        coalesce(spent.customer_count, 0) as customer_count,
        coalesce(spent.buyer_count, 0) as buyer_count,
        coalesce(spent.reachable_count, 0) as reachable_count,
        coalesce(visits.session_count, 0) as session_count,
        coalesce(shops.store_count, 0) as store_count,
        coalesce(spent.net_revenue_amount, 0) as net_revenue_amount,
        cast(coalesce(spent.buyer_count, 0) as double) / nullif(people.population_count, 0)
            as penetration_rate
    from provinces
    left join people on provinces.province = people.province
    left join spent on provinces.province = spent.province
    left join visits on provinces.province = visits.province
    left join shops on provinces.province = shops.province
),

best as (
    select
        max(penetration_rate) as penetration_rate,
        sum(net_revenue_amount) / nullif(sum(buyer_count), 0) as revenue_per_buyer
    from joined
)

select
    joined.province,
    joined.population_count,
    cast(joined.customer_count as integer) as customer_count,
    cast(joined.buyer_count as integer) as buyer_count,
    cast(joined.reachable_count as integer) as reachable_count,
    cast(joined.session_count as integer) as session_count,
    cast(joined.store_count as integer) as store_count,
    joined.store_count > 0 as has_store,
    {{ money('joined.net_revenue_amount') }} as net_revenue_amount,
    joined.penetration_rate,
    {{ money('joined.population_count * best.penetration_rate * best.revenue_per_buyer') }}
        as potential_amount
from joined
cross join best
