{#
  The one maker of grains and slices. An entity model (one row per order, cart, ...) has `on_date`,
  `customer_id`, one column per slice, and what its KPIs aggregate. Its YAML carries under `meta`
  `slices: [...]` and `kpi: [{name, numerator, denominator, ...}]`:

  numerator, denominator  aggregates over the entity rows of one period and slice value, which may
                          use `period_start`; without a denominator the KPI is a count or a sum
  is_additive             whether slice values and days add up to the whole
  window_days             null until the period's last day plus so many days is over
  denominator_at_start    the denominator sums changes: the KPI needs what stood before the period
  lift                    instead of the two: {group, converted}, columns of an experiment; the
                          difference of the converted shares of treated and holdout, with interval

  Every slice has its `unknown` row in every period; with `is_dense` so has every other value.
#}
{% macro kpi_rows(group) %}
{%- set meta = graph.nodes['model.khach.' ~ group].config.meta if execute
    else {'slices': [], 'kpi': []} -%}
{%- set parts = ['numerator', 'denominator', 'lower', 'upper'] -%}
with grained as (
    {% for grain in ['day', 'week', 'month'] -%}
    select
        '{{ grain }}' as grain,
        cast({{ dbt.date_trunc(grain, 'on_date') }} as date) as period_start,
        entities.*
    from {{ ref(group) }} as entities
    where entities.on_date <= {{ last_observed_on() }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

aggregated as (
    {% for slice in meta.slices -%}
    select
        grained.grain,
        grained.period_start,
        '{{ slice }}' as slice,
        {{ kpi_slice_value(slice) }} as slice_value
        {%- for kpi in meta.kpi %}{% for part in parts if part in kpi or 'lift' in kpi %},
        cast({{ kpi[part] if part in kpi else lift_part(kpi.lift, part) }} as decimal(28, 8))
        as {{ kpi.name }}_{{ part }}
        {%- endfor %}{% endfor %}
    from grained
    {% if slice == 'segment' -%}
    left join {{ ref('segment_assignments') }} as assigned
        on grained.customer_id = assigned.customer_id
        and assigned.segment_kind in ('lifecycle', 'rfm')
    {% endif -%}
    group by 1, 2, 3, 4
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

periods as (
    select distinct calendar.grain, calendar.period_start, calendar.period_end
    from {{ ref('calendar') }} as calendar
    inner join (select min(on_date) as first_on from {{ ref(group) }}) as bounds
        on calendar.on_date >= bounds.first_on
),

slice_values as (
    {% for slice in meta.slices -%}
    select
        '{{ slice }}' as slice,
        '{{ 'all' if slice == 'all' else 'unknown' }}' as slice_value
    {{ 'union all' if not loop.last }}
    {% endfor %}
    {%- if meta.get('is_dense') %}
    union
    select slice, slice_value from aggregated
    {%- endif %}
),

filled as (
    select
        periods.grain,
        periods.period_start,
        periods.period_end,
        slice_values.slice,
        slice_values.slice_value
    from periods
    cross join slice_values
    union
    select
        aggregated.grain,
        aggregated.period_start,
        periods.period_end,
        aggregated.slice,
        aggregated.slice_value
    from aggregated
    inner join periods
        on aggregated.grain = periods.grain and aggregated.period_start = periods.period_start
),

{% for kpi in meta.kpi -%}
{{ kpi.name }} as (
    select
        '{{ kpi.name }}' as kpi,
        filled.grain,
        filled.period_start,
        filled.slice,
        filled.slice_value,
        {{ when_window_passed(kpi, 'numerator') }} as numerator,
        {{ kpi_denominator(kpi) }} as denominator,
        {% for part in ['lower', 'upper'] -%}
        {{ when_window_passed(kpi, part) if 'lift' in kpi else 'cast(null as decimal(28, 8))' }}
        as {{ part }}_95,
        {% endfor -%}
        {{ 'true' if kpi.get('is_additive') else 'false' }}
        and filled.slice <> 'segment' as is_additive
    from filled
    left join aggregated
        on filled.grain = aggregated.grain
        and filled.period_start = aggregated.period_start
        and filled.slice = aggregated.slice
        and filled.slice_value = aggregated.slice_value
){{ ',' if not loop.last }}
{% endfor %}
{% for kpi in meta.kpi -%}
select * from {{ kpi.name }}
{{ 'union all' if not loop.last }}
{% endfor %}
{% endmacro %}


{# The value of a slice for one entity row. #}
{% macro kpi_slice_value(slice) -%}
{%- if slice == 'all' -%} 'all'
{%- elif slice == 'segment' -%} {{ or_unknown('assigned.segment_id') }}
{%- else -%} {{ or_unknown('grained.' ~ slice) }}
{%- endif -%}
{%- endmacro %}


{# Null until the window has passed: nobody can tell a KPI from half its time. #}
{% macro when_window_passed(kpi, part) -%}
{%- set value = kpi.name ~ '_' ~ part if 'lift' in kpi
    else 'coalesce(' ~ kpi.name ~ '_' ~ part ~ ', 0)' -%}
{%- set days = kpi.get('window_days') -%}
{%- if days is none -%}
{{ value }}
{%- else -%}
case
            when {{ days_after('filled.period_end',
                threshold(days) if days is string else days) }} < {{ as_of_on() }}
            then {{ value }}
        end
{%- endif -%}
{%- endmacro %}


{# Intention to treat, docs/kpis.md "Experiments and lift"; null without both groups. #}
{% macro lift_part(lift, part) -%}
{%- set n, c = {}, {} -%}
{%- for group in ['treated', 'holdout'] -%}
    {%- set is_in = lift.group ~ " = '" ~ group ~ "'" -%}
    {%- do n.update({group: 'nullif(cast(count(case when ' ~ is_in
        ~ ' then 1 end) as double), 0)'}) -%}
    {%- do c.update({group: '(count(case when ' ~ is_in ~ ' and ' ~ lift.converted
        ~ ' then 1 end) / ' ~ n[group] ~ ')'}) -%}
{%- endfor -%}
{%- set difference = '(' ~ c.treated ~ ' - ' ~ c.holdout ~ ')' -%}
{%- set error = 'sqrt(' ~ c.treated ~ ' * (1 - ' ~ c.treated ~ ') / ' ~ n.treated ~ ' + '
    ~ c.holdout ~ ' * (1 - ' ~ c.holdout ~ ') / ' ~ n.holdout ~ ')' -%}
{%- if part == 'numerator' -%} {{ n.treated }} * {{ difference }}
{%- elif part == 'denominator' -%} count(case when {{ lift.group }} = 'treated' then 1 end)
{%- else -%} {{ difference }} {{ '-' if part == 'lower' else '+' }} 1.96 * {{ error }}
{%- endif -%}
{%- endmacro %}


{% macro kpi_denominator(kpi) -%}
{%- if 'denominator' not in kpi and 'lift' not in kpi -%}
cast(null as decimal(28, 8))
{%- elif kpi.get('denominator_at_start') -%}
coalesce(
            sum(coalesce({{ kpi.name }}_denominator, 0)) over (
                partition by filled.grain, filled.slice, filled.slice_value
                order by filled.period_start asc
                rows between unbounded preceding and 1 preceding
            ), 0
        )
{%- else -%}
coalesce({{ kpi.name }}_denominator, 0)
{%- endif -%}
{%- endmacro %}
