-- Entities of the KPIs of sign-ups: customers on the day they first showed an identifier by which
-- they are recognised again. Channel, traffic source and campaign are those of their first touch.
{{ config(schema='intermediate') }}

with touches as (
    select
        customer_id, session_id as touch_id, started_at as touched_at, 'web' as channel,
        traffic_source, campaign
    from {{ ref('sessions') }}
    where customer_id is not null
    union all
    select customer_id, interaction_id, occurred_at, channel, null, campaign_id
    from {{ ref('interactions') }}
    where customer_id is not null
        and initiated_by = 'customer'
        and kind not in ('visit', 'view', 'search', 'cart')
    union all
    select customer_id, lead_id, created_at, null, traffic_source, null
    from {{ ref('leads') }}
    where customer_id is not null
),

ranked as (
    select
        *,
        row_number() over (
            partition by customer_id order by touched_at asc nulls last, touch_id asc
        ) as touch_rank
    from touches
),

contacts as (
    select customer_id, contacted_at
    from {{ ref('leads') }}
    where contacted_at is not null
    union all
    select customer_id, occurred_at
    from {{ ref('interactions') }} as touches
    where {{ is_sales_call('touches') }}
),

contacted as (
    select
        customers.customer_id,
        max(
            case
                when contacts.contacted_at between customers.identified_at
                    and {{ plus_minutes('customers.identified_at', 7 * 1440) }} then 1
                else 0
            end
        ) as is_contacted
    from contacts
    inner join {{ ref('kpi_customers') }} as customers
        on contacts.customer_id = customers.customer_id
    group by customers.customer_id
),

unqualified as (
    select distinct customer_id from {{ ref('leads') }}
    where outcome = 'unqualified'
)

select
    {{ business_date('customers.identified_at') }} as on_date,
    coalesce(contacted.is_contacted, 0) as is_contacted,
    case when unqualified.customer_id is null then 0 else 1 end as is_unqualified,
    case
        when customers.first_order_at
            <= {{ plus_minutes('customers.identified_at', 30 * 1440) }} then 1
        else 0
    end as is_buyer,
    ranked.channel,
    ranked.traffic_source,
    ranked.campaign,
    customers.province,
    customers.country,
    {{ customer_slices() }}
from {{ ref('kpi_customers') }} as customers
left join ranked on customers.customer_id = ranked.customer_id and ranked.touch_rank = 1
left join contacted on customers.customer_id = contacted.customer_id
left join unqualified on customers.customer_id = unqualified.customer_id
where customers.identified_at is not null
