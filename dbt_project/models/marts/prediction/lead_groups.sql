-- What was known of a lead when it came, for its score: where it came from, whether the person had
-- ordered before, whether they had been on the web in the week before. is_later marks the last fifth
-- of the decided, on which the score is judged.
with known as (
    select
        leads.lead_id,
        coalesce(leads.traffic_source, 'unknown') as traffic_source,
        leads.outcome,
        leads.created_at,
        case when exists (
            select 1
            from {{ ref('orders') }} as orders
            where orders.customer_id = leads.customer_id and orders.ordered_at < leads.created_at
        ) then 1 else 0 end as has_ordered,
        case when exists (
            select 1
            from {{ ref('int_sessions') }} as sessions
            where sessions.customer_id = leads.customer_id
                and sessions.started_at < leads.created_at
                and {{ window_ends_at('sessions.started_at', 7) }} >= leads.created_at
        ) then 1 else 0 end as has_visited
    from {{ ref('leads') }} as leads
    where leads.created_at is not null
)

select
    lead_id,
    traffic_source,
    has_ordered,
    has_visited,
    outcome,
    case when outcome = 'won' then 1 when outcome is not null then 0 end as is_won,
    case
        when outcome is null then false
        else cume_dist() over (
            partition by case when outcome is null then 0 else 1 end
            order by created_at asc
        ) > 0.8
    end as is_later
from known
