-- Entities of the Value KPIs: customers as they stand, on the last day observed. Probabilities are
-- decimals here, so that sums over slices add up to the last digit.
{{ config(schema='intermediate') }}

select
    {{ last_observed_on() }} as on_date,
    facts.historic_clv_amount,
    facts.predicted_clv_12m_amount,
    cast(facts.p_alive as decimal(18, 8)) as p_alive,
    customers.province,
    customers.country,
    {{ customer_slices() }}
from {{ ref('customers') }} as facts
inner join {{ ref('kpi_customers') }} as customers on facts.customer_id = customers.customer_id
