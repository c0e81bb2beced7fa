select
    leads.source || ':' || leads.lead_id as lead_id,
    leads.source,
    known_customers.customer_id,
    leads.traffic_source,
    leads.stage,
    {{ money('leads.lead_score') }} as lead_score,
    leads.created_at,
    leads.contacted_at,
    case when lower(leads.outcome) in ('won', 'lost', 'unqualified') then lower(leads.outcome) end
        as outcome,
    leads.expected_close_on,
    {{ converted('leads.amount', 'rates.rate') }} as expected_amount
from {{ entity_rows('leads') }} as leads
inner join {{ ref('int_sources') }} as sources on leads.source = sources.source
left join {{ ref('int_exchange_rates') }} as rates
    on coalesce(leads.currency, sources.currency) = rates.currency
    and rates.valid_from <= {{ as_of_on() }}
    and rates.valid_to > {{ as_of_on() }}
left join {{ ref('int_record_customers') }} as record_customers
    on leads.source = record_customers.source
    and record_customers.record_kind = 'leads'
    and leads.lead_id = record_customers.record_id
left join {{ ref('known_customers') }} as known_customers
    on record_customers.customer_id = known_customers.customer_id
