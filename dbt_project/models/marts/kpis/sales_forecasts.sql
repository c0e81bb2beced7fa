-- The coming days of the series that allow it; model_fits says how often the intervals held.
{% set measures = {'amount': 'gross_amount', 'orders': 'order_count'} -%}
select
    'sales' as kind,
    'day' as grain,
    forecast_on,
    slice,
    slice_value,
    {%- for name, measure in measures.items() %}
    {%- for figure in ['expected', 'lower_80', 'upper_80'] %}
    {{ money("max(case when measure = '" ~ measure ~ "' then " ~ figure ~ " end)") }}
        as {{ figure }}_{{ name }},
    {%- endfor %}
    max(case when measure = '{{ measure }}' then coverage_80 end) as coverage_80_{{ name }}
    {{- ',' if not loop.last }}
    {%- endfor %}
from {{ ref('sales_series') }}
where forecast_on is not null
group by forecast_on, slice, slice_value
