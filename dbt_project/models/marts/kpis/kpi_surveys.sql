-- Entities of the feedback KPIs: answers with a score that its survey can be read by.
{{ config(schema='intermediate') }}

select
    {{ business_date('responses.answered_at') }} as on_date,
    case when responses.kind = 'nps' then 1 else 0 end as is_nps,
    case
        when responses.kind <> 'nps' then 0
        when responses.score >= 9 then 1
        when responses.score <= 6 then -1
        else 0
    end as nps_side,
    case when responses.kind = 'csat' then 1 else 0 end as is_csat,
    case
        when responses.kind = 'csat' and responses.score >= responses.satisfied_score then 1
        else 0
    end as is_satisfied,
    responses.channel,
    orders.store_id as store,
    customers.province,
    customers.country,
    {{ customer_slices() }}
from {{ ref('survey_responses') }} as responses
left join {{ ref('orders') }} as orders on responses.order_id = orders.order_id
left join {{ ref('kpi_customers') }} as customers on responses.customer_id = customers.customer_id
where responses.score is not null
    and (
        (responses.kind = 'nps' and responses.score between 0 and 10)
        or (responses.kind = 'csat' and responses.satisfied_score is not null)
    )
