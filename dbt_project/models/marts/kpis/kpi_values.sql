{% set groups = [
    'kpi_sales', 'kpi_sales_categories', 'kpi_loyalty', 'kpi_lifecycle', 'kpi_carts',
    'kpi_sign_ups', 'kpi_sessions', 'kpi_emails', 'kpi_service', 'kpi_contacts', 'kpi_surveys',
    'kpi_reach', 'kpi_customer_value'
] %}
-- depends_on: {{ ref('calendar') }}, {{ ref('kpi_customers') }}, {{ ref('kpi_customer_segments') }}
with kpis as (
    {% for group in groups -%}
    select * from ({{ kpi_rows(group) }}) as {{ group }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    kpi,
    grain,
    period_start,
    slice,
    slice_value,
    cast(numerator as decimal(28, 8)) as numerator,
    cast(denominator as decimal(28, 8)) as denominator,
    cast(
        case when denominator is null then numerator else numerator / nullif(denominator, 0) end
        as decimal(28, 8)
    ) as value,
    cast(lower_95 as decimal(28, 8)) as lower_95,
    cast(upper_95 as decimal(28, 8)) as upper_95,
    is_additive
from kpis
