-- The coming days of the series that allow it (model_fits says how often the intervals held), and
-- what open leads are worth, each weighted with how often leads of its stage were won.
{% set figures = ['expected', 'lower_80', 'upper_80', 'coverage_80'] -%}
with days as (
    select
        {%- for figure in figures %}
        max(case when measure = 'gross_amount' then {{ figure }} end) as amount_{{ figure }},
        max(case when measure = 'order_count' then {{ figure }} end) as orders_{{ figure }},
        {%- endfor %}
        forecast_on,
        slice,
        slice_value
    from {{ ref('sales_series') }}
    where forecast_on is not null
    group by forecast_on, slice, slice_value
),

leads as (
    {% for slice, value in {'all': "'all'", 'stage': 'stage'}.items() -%}
    select
        month_start,
        '{{ slice }}' as slice,
        {{ value }} as slice_value,
        sum(amount) as whole_amount,
        count(*) as whole_orders,
        sum(amount * win_rate) as amount,
        sum(win_rate) as orders,
        -- Leads are won one by one: 1.2816 standard deviations either way hold 80 % of many.
        1.2816 * sqrt(sum(amount * amount * win_rate * (1 - win_rate))) as amount_spread,
        1.2816 * sqrt(sum(win_rate * (1 - win_rate))) as orders_spread
    from {{ ref('open_lead_values') }}
    group by month_start{{ ', stage' if slice == 'stage' }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    'sales' as kind,
    'day' as grain,
    forecast_on,
    slice,
    slice_value,
    {{ money('amount_expected') }} as expected_amount,
    {{ money('amount_lower_80') }} as lower_80_amount,
    {{ money('amount_upper_80') }} as upper_80_amount,
    amount_coverage_80,
    {{ money('orders_expected') }} as expected_orders,
    {{ money('orders_lower_80') }} as lower_80_orders,
    {{ money('orders_upper_80') }} as upper_80_orders,
    orders_coverage_80
from days
union all
select
    'pipeline' as kind,
    'month' as grain,
    month_start as forecast_on,
    slice,
    slice_value,
    {{ money('amount') }} as expected_amount,
    {{ money('greatest(amount - amount_spread, 0)') }} as lower_80_amount,
    {{ money('least(amount + amount_spread, whole_amount)') }} as upper_80_amount,
    cast(null as double) as amount_coverage_80,
    {{ money('orders') }} as expected_orders,
    {{ money('greatest(orders - orders_spread, 0)') }} as lower_80_orders,
    {{ money('least(orders + orders_spread, whole_orders)') }} as upper_80_orders,
    cast(null as double) as orders_coverage_80
from leads
