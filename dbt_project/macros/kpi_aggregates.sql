{# Sums per day, of which weeks and months are made. One scan per slice: a scan reads but the
   columns that it needs, and nothing is kept of it. #}
{% macro kpi_daily(group, meta, sums) -%}
{% for slice in meta.slices -%}
    select
        entities.on_date,
        '{{ slice }}' as slice,
        {{ kpi_slice_value(slice) }} as slice_value
        {%- for name, expression in sums.items() %},
        cast({{ expression }} as decimal(28, 8)) as {{ name }}
        {%- endfor %}
    from {{ ref(group) }} as entities
    {% if slice == 'segment' -%}
    left join {{ ref('kpi_customer_segments') }} as assigned
        on entities.customer_number = assigned.customer_number
    {% endif -%}
    {% set conditions = meta.get('where') or {} -%}
    where {{ conditions.get(slice, conditions.get('others', 'true')) }}
    group by 1, 2, 3
    {{ 'union all' if not loop.last }}
    {% endfor %}
{%- endmacro %}


{# How many customers meet each condition in a period. Slices that are the customer's own share one
   search; any other has one of its own, since a customer may count under several of its values. #}
{% macro kpi_customers_counted(group, meta, customers) -%}
{%- set own = meta.get('customer_slices', []) -%}
persons as ({{ kpi_persons(group, customers) }}),

counted as (
    {% for slice in meta.slices -%}
    select
        persons.grain,
        persons.period_start,
        '{{ slice }}' as slice,
        {{ kpi_slice_value(slice, 'customers') if slice in own else 'persons.slice_value' }}
            as slice_value
        {%- for name in customers %},
        sum(persons.{{ name }}) as {{ name }}
        {%- endfor %}
    from {{ 'persons' if slice in own else '(' ~ kpi_persons(group, customers, slice) ~ ') as persons' }}
    {% if slice == 'segment' -%}
    left join {{ ref('kpi_customer_segments') }} as assigned
        on persons.customer_number = assigned.customer_number
    {% elif slice in own and slice not in ['all', 'contact'] -%}
    inner join {{ ref('kpi_customers') }} as customers
        on persons.customer_number = customers.customer_number
    {% endif -%}
    group by 1, 2, 3, 4
    {{ 'union all' if not loop.last }}
    {% endfor %}
)
{%- endmacro %}


{# The customers of a period, by a slice where one is given: whether a row of theirs meets each
   condition. #}
{% macro kpi_persons(group, customers, slice=none) -%}
    select
        calendar.grain,
        calendar.period_start,
        entities.customer_number
        {%- if slice %},
        {{ kpi_slice_value(slice) }} as slice_value
        {%- endif %}
        {%- for name, condition in customers.items() %},
        max(case when {{ condition }} then 1 else 0 end) as {{ name }}
        {%- endfor %}
    from {{ ref(group) }} as entities
    inner join {{ ref('calendar') }} as calendar on entities.on_date = calendar.on_date
    where entities.customer_number is not null
        and ({{ customers.values() | unique | join(' or ') }})
    group by 1, 2, 3{{ ', 4' if slice }}
{%- endmacro %}


{# The value of a slice for one entity row, or for one known customer. #}
{% macro kpi_slice_value(slice, of='entities') -%}
{%- if slice == 'all' -%} 'all'
{%- elif slice == 'segment' -%} {{ or_unknown('assigned.segment_id') }}
{%- elif slice == 'contact' and of == 'customers' -%} 'known'
{%- else -%} {{ or_unknown(of ~ '.' ~ slice) }}
{%- endif -%}
{%- endmacro %}
