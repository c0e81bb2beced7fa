-- Additive KPIs add up over slice values and over days, totals are those of the orders, values lie
-- within their bounds, no denominator of 0 has a value, and every slice has its unknown row.
with additive as (
    select kpi, grain, period_start, slice, sum(numerator) as total
    from {{ ref('kpi_values') }}
    where is_additive
    group by kpi, grain, period_start, slice
),

not_adding_up as (
    select parts.kpi || ' over ' || parts.slice as problem
    from additive as parts
    inner join additive as whole
        on parts.kpi = whole.kpi
        and parts.grain = whole.grain
        and parts.period_start = whole.period_start
        and whole.slice = 'all'
    where parts.total is distinct from whole.total
),

grains as (
    select kpi, grain, sum(numerator) as total
    from {{ ref('kpi_values') }}
    where is_additive and slice = 'all' and kpi <> 'recovered_value'
    group by kpi, grain
),

not_adding_up_over_days as (
    select grains.kpi || ' over ' || grains.grain as problem
    from grains
    inner join grains as days on grains.kpi = days.kpi and days.grain = 'day'
    where grains.total is distinct from days.total
),

totals as (
    select
        sum(case when kpi = 'orders' then numerator else 0 end) as orders,
        sum(case when kpi = 'gross_revenue' then numerator else 0 end) as gross_amount
    from {{ ref('kpi_values') }}
    where slice = 'all' and grain = 'day'
),

told as (
    select count(*) as orders, coalesce(sum(gross_amount), 0) as gross_amount
    from {{ ref('orders') }}
    where is_completed and ordered_on <= {{ last_observed_on() }}
),

not_the_orders as (
    select 'not what the orders say' as problem
    from totals
    cross join told
    where coalesce(totals.orders, 0) <> told.orders
        or coalesce(totals.gross_amount, 0) <> told.gross_amount
),

out_of_bounds as (
    select kpi || ' out of bounds' as problem
    from {{ ref('kpi_values') }}
    where (lower_95 > value or upper_95 < value)
        or (denominator = 0 and value is not null)
        {%- for kpi, bounds in kpi_bounds().items() %}
        or (kpi = '{{ kpi }}' and (value < {{ bounds[0] }} or value > {{ bounds[1] }}))
        {%- endfor %}
),

without_unknown as (
    select kpi || ' by ' || slice || ' lacks unknown' as problem
    from {{ ref('kpi_values') }}
    where slice <> 'all'
    group by kpi, grain, period_start, slice
    having max(case when slice_value = 'unknown' then 1 else 0 end) = 0
)

select problem from not_adding_up
union all
select problem from not_adding_up_over_days
union all
select problem from not_the_orders
union all
select problem from out_of_bounds
union all
select problem from without_unknown
