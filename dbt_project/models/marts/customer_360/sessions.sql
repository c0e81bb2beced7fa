select
    sessions.session_id,
    sessions.source,
    known_customers.customer_id,
    sessions.anonymous_id,
    sessions.started_at,
    sessions.ended_at,
    cast(sessions.event_count as bigint) as event_count,
    cast(sessions.page_view_count as bigint) as page_view_count,
    {{ or_unknown('sessions.traffic_source') }} as traffic_source,
    {{ or_unknown('sessions.medium') }} as medium,
    sessions.campaign,
    {{ or_unknown('sessions.visitor_type') }} as visitor_type,
    sessions.has_order,
    session_intents.purchase_intent
from {{ ref('int_sessions') }} as sessions
left join {{ ref('known_customers') }} as known_customers
    on sessions.customer_id = known_customers.customer_id
left join {{ ref('session_intents') }} as session_intents
    on sessions.session_id = session_intents.session_id
