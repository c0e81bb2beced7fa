-- Entities of the session KPIs: web sessions on the day they began.
{{ config(schema='intermediate') }}

select
    {{ business_date('sessions.started_at') }} as on_date,
    sessions.has_order,
    sessions.traffic_source,
    sessions.campaign,
    customers.province,
    customers.country,
    {{ customer_slices() }}
from {{ ref('sessions') }} as sessions
left join {{ ref('kpi_customers') }} as customers on sessions.customer_id = customers.customer_id
