-- What was known of a lead when it came, for its score: where it came from, whether the person had
-- ordered before, whether they had been on the web in the week before. is_later marks the last
-- fifth of the decided, on which the score is judged.
with first_orders as (
    select
        customer_id,
        min(ordered_at) as first_order_at
    from {{ ref('orders') }}
    where customer_id is not null
    group by customer_id
),

visited as (
    select distinct leads.lead_id
    from {{ ref('leads') }} as leads
    inner join {{ ref('int_sessions') }} as sessions
        on leads.customer_id = sessions.customer_id
        and leads.created_at > sessions.started_at
        and {{ window_ends_at('sessions.started_at', 7) }} >= leads.created_at
),

placed as (
    select
        lead_id,
        cume_dist() over (order by created_at asc) as place
    from {{ ref('leads') }}
    where outcome is not null and created_at is not null
)

select
    leads.lead_id,
    coalesce(leads.traffic_source, 'unknown') as traffic_source,
    case when first_orders.first_order_at < leads.created_at then 1 else 0 end as has_ordered,
    case when visited.lead_id is null then 0 else 1 end as has_visited,
    leads.outcome,
    case when leads.outcome = 'won' then 1 when leads.outcome is not null then 0 end as is_won,
    coalesce(placed.place > 0.8, false) as is_later
from {{ ref('leads') }} as leads
left join first_orders on leads.customer_id = first_orders.customer_id
left join visited on leads.lead_id = visited.lead_id
left join placed on leads.lead_id = placed.lead_id
where leads.created_at is not null
