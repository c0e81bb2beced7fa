{#
  The one maker of grains and slices. An entity model (one row per order, cart, ...) has `on_date`,
  `customer_number`, one column per slice, and what its KPIs aggregate. Its YAML carries under
  `meta` `slices: [...]` and `kpi: [{name, formula, numerator, denominator, ...}]`:

  numerator, denominator  a sum or count over the entity rows of one day and slice value, which is
                          added up over the days of a period; or `{customers: condition}`, the
                          distinct known customers with a row in the period that meets the
                          condition, which may use `period_start` and `period_end`; without a
                          denominator the KPI is a count or a sum
  per                     what the numerator is divided by once it is added up
  is_additive             whether slice values and days add up to the whole
  window_days             null until the period's last day plus so many days is over
  denominator_at_start    the denominator sums changes: the KPI needs what stood before the period
  is_stock                both parts sum changes: the KPI is what stands at the period's end
  lift                    instead of the two: {group, converted}, columns of an experiment; the
                          difference of the converted shares of treated and holdout, with interval
  bounds                  [least, most] that a value can be; a share's are [0, 1]
  is_money                an amount of the reporting currency
  keeps_null              null, not 0, where there is nothing to add up
  not_by                  slices of the model that have no meaning for this KPI

  `customer_slices` under `meta` are the slices whose value is that of the row's customer in
  kpi_customers, where KPIs count customers. `where`, {slice: condition, others: condition}, says
  which rows are added up in a slice. Every slice has its `unknown` row in every period; with
  `is_dense` so has every other value. An entity that lies on no day of the calendar is in no
  period.
#}
{% macro kpi_rows(group) %}
{%- set meta = graph.nodes['model.khach.' ~ group].config.meta if execute
    else {'slices': [], 'kpi': []} -%}
{%- set sums, customers = {}, {} -%}
{%- for kpi in meta.kpi -%}
    {%- for part in kpi_parts(kpi) -%}
        {%- set name = kpi.name ~ '_' ~ part -%}
        {%- if 'lift' in kpi -%} {%- do sums.update({name: lift_part(kpi.lift, part)}) -%}
        {%- elif kpi[part] is mapping -%} {%- do customers.update({name: kpi[part].customers}) -%}
        {%- else -%} {%- do sums.update({name: kpi[part]}) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endfor -%}
with daily as (
    {{ kpi_daily(group, meta, sums) }}
),

added_up as (
    select
        calendar.grain,
        calendar.period_start,
        daily.slice,
        daily.slice_value
        {%- for name in sums %},
        cast(sum(daily.{{ name }}) as decimal(28, 8)) as {{ name }}
        {%- endfor %}
    from daily
    inner join {{ ref('calendar') }} as calendar on daily.on_date = calendar.on_date
    group by calendar.grain, calendar.period_start, daily.slice, daily.slice_value
),

{% if customers -%}
{{ kpi_customers_counted(group, meta, customers) }},

aggregated as (
    select
        added_up.*
        {%- for name in customers %},
        counted.{{ name }}
        {%- endfor %}
    from added_up
    left join counted
        on added_up.grain = counted.grain
        and added_up.period_start = counted.period_start
        and added_up.slice = counted.slice
        and added_up.slice_value = counted.slice_value
),
{%- else -%}
aggregated as (select * from added_up),
{%- endif %}

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

joined as (
    select
        filled.period_end,
        filled.grain,
        filled.period_start,
        filled.slice,
        filled.slice_value
        {%- for kpi in meta.kpi %}
        {%- for part in kpi_parts(kpi) %},
        {% set name = kpi.name ~ '_' ~ part -%}
        {{ 'cast(aggregated.' ~ name ~ ' as bigint) as ' if 'lift' in kpi else 'aggregated.' }}{{ name }}
        {%- endfor %}{% endfor %}
    from filled
    left join aggregated
        on filled.grain = aggregated.grain
        and filled.period_start = aggregated.period_start
        and filled.slice = aggregated.slice
        and filled.slice_value = aggregated.slice_value
)

{% for kpi in meta.kpi -%}
select
    '{{ kpi.name }}' as kpi,
    grain,
    period_start,
    slice,
    slice_value,
    {{ when_window_passed(kpi, kpi_part(kpi, 'numerator')) }} as numerator,
    {{ kpi_part(kpi, 'denominator') if 'denominator' in kpi or 'lift' in kpi
        else 'cast(null as decimal(28, 8))' }} as denominator,
    {% for end in ['lower', 'upper'] -%}
    {{ when_window_passed(kpi, kpi_lift_bound(kpi, end)) if 'lift' in kpi
        else 'cast(null as decimal(28, 8))' }} as {{ end }}_95,
    {% endfor -%}
    {{ 'true' if kpi.get('is_additive') else 'false' }} and slice <> 'segment' as is_additive
from joined
{% if kpi.get('not_by') -%}
where slice not in ('{{ kpi.not_by | join("', '") }}')
{% endif -%}
{{ 'union all' if not loop.last }}
{% endfor %}
{% endmacro %}


{# The parts of a KPI that are aggregated. #}
{% macro kpi_parts(kpi) -%}
{%- if 'lift' in kpi -%}
{%- do return(['treated', 'treated_converted', 'holdout', 'holdout_converted']) -%}
{%- endif -%}
{%- do return(['numerator', 'denominator'] | select('in', kpi) | list) -%}
{%- endmacro %}


{# A part of a KPI in a period: 0 where nothing happened (but no lift), summed up for a stock. #}
{% macro kpi_part(kpi, part) -%}
{%- set column = kpi.name ~ '_' ~ part -%}
{%- if kpi.get('is_stock') or (part == 'denominator' and kpi.get('denominator_at_start')) -%}
coalesce(
        sum(coalesce({{ column }}, 0)) over (
            partition by grain, slice, slice_value
            order by period_start asc
            rows between unbounded preceding
            and {{ 'current row' if kpi.get('is_stock') else '1 preceding' }}
        ), 0
    )
{%- elif 'lift' in kpi -%}
{{ kpi_lift_value(kpi, part) }}
{%- elif part == 'numerator' and 'per' in kpi -%}
cast(coalesce({{ column }}, 0) / {{ kpi.per }} as decimal(28, 8))
{%- elif part == 'numerator' and kpi.get('keeps_null') -%}
{{ column }}
{%- else -%}
coalesce({{ column }}, 0)
{%- endif -%}
{%- endmacro %}


{# Null until the window has passed: nobody can tell a KPI from half its time. #}
{% macro when_window_passed(kpi, value) -%}
{%- set days = kpi.get('window_days') -%}
{%- if days is none -%}
{{ value }}
{%- else -%}
case
        when {{ days_after('period_end', threshold(days) if days is string else days) }}
            < {{ as_of_on() }}
        then {{ value }}
    end
{%- endif -%}
{%- endmacro %}


{# Intention to treat, docs/kpis.md "Experiments and lift": the counts of a period and slice value. #}
{% macro lift_part(lift, part) -%}
{%- set group = 'treated' if part.startswith('treated') else 'holdout' -%}
count(case
        when {{ lift.group }} = '{{ group }}' {{ 'and ' ~ lift.converted if part.endswith('converted') }}
        then 1
    end)
{%- endmacro %}


{# The people treated times the difference of the shares, null without both groups; and how many
   they are. #}
{% macro kpi_lift_value(kpi, part) -%}
{%- set n = kpi.name -%}
{%- if part == 'denominator' -%}
cast(coalesce({{ n }}_treated, 0) as decimal(28, 8))
{%- else -%}
cast(case
        when {{ n }}_treated > 0 and {{ n }}_holdout > 0
        then {{ n }}_treated_converted - cast({{ n }}_holdout_converted as double)
            * {{ n }}_treated / {{ n }}_holdout
    end as decimal(28, 8))
{%- endif -%}
{%- endmacro %}


{# An end of the interval of a lift, from the same counts. #}
{% macro kpi_lift_bound(kpi, end) -%}
{%- set n = kpi.name -%}
{{ lift_bound(end, n ~ '_treated', n ~ '_treated_converted', n ~ '_holdout',
    n ~ '_holdout_converted') }}
{%- endmacro %}


{# The slices of the customer that an entity belongs to; `customers` is kpi_customers. #}
{% macro customer_slices() -%}
customers.customer_number,
    customers.generation,
    customers.age_band,
    customers.gender,
    case when customers.customer_number is null then 'unknown' else 'known' end as contact
{%- endmacro %}


{# Whether an interaction is a call by which the business wants to sell. #}
{% macro is_sales_call(touch) -%}
{{ touch }}.kind = 'call' and {{ touch }}.direction = 'outbound'
    and (
        {{ touch }}.purpose = 'sales'
        or ({{ touch }}.purpose is null and {{ touch }}.content_class = 'promotion')
    )
{%- endmacro %}


{# What a value of each bounded KPI can be: name to [least, most]. #}
{% macro kpi_bounds() -%}
{%- set found = {} -%}
{%- for node in (graph.nodes.values() if execute else []) if node.config.get('meta') -%}
    {%- for kpi in node.config.meta.get('kpi', []) if kpi.get('bounds') -%}
        {%- do found.update({kpi.name: kpi.bounds}) -%}
    {%- endfor -%}
{%- endfor -%}
{%- do return(found) -%}
{%- endmacro %}
