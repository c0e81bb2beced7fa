select
    responses.source || ':' || responses.response_id as response_id,
    responses.response_id as source_response_id,
    responses.source,
    known_customers.customer_id,
    responses.survey,
    responses.kind,
    responses.score,
    responses.scale_max,
    responses.answered_at
from {{ entity_rows('survey_responses') }} as responses
left join {{ ref('int_record_customers') }} as record_customers
    on responses.source = record_customers.source
    and record_customers.record_kind = 'survey_responses'
    and responses.response_id = record_customers.record_id
left join {{ ref('known_customers') }} as known_customers
    on record_customers.customer_id = known_customers.customer_id
