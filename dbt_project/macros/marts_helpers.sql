{# The end of the observed period, a UTC timestamp. #}
{% macro as_of_at() -%}
cast('{{ run_value("as_of") | string | replace("Z", "") | replace("+00:00", "") }}' as timestamp)
{%- endmacro %}

{# Each result of money arithmetic is cast once, to decimal(18,4). #}
{% macro money(expression) -%} cast({{ expression }} as decimal(18, 4)) {%- endmacro %}

{# The business day the observed period ends in; days before it are complete. #}
{% macro as_of_on() -%} {{ business_date(as_of_at()) }} {%- endmacro %}

{# The last business day of which anything was observed, maybe not yet over. #}
{% macro last_observed_on() -%} {{ business_date(plus_minutes(as_of_at(), -1)) }} {%- endmacro %}

{# Days from one date to another, as an integer. #}
{% macro days_between(earlier, later) -%}
cast({{ dbt.datediff(earlier, later, 'day') }} as integer)
{%- endmacro %}

{# A date so many days later, still a date (date + interval is a timestamp on some engines). #}
{% macro days_after(date_expression, days) -%}
cast({{ dbt.dateadd('day', days, date_expression) }} as date)
{%- endmacro %}

{# The dimension's `unknown` member for a missing value. #}
{% macro or_unknown(column) -%} coalesce({{ column }}, 'unknown') {%- endmacro %}

{#
  An honest empty table: the columns its contract promises, no row. A model whose whole body is
  this macro carries `meta: {not_yet_filled: true}`, which is what the command line reads.
#}
{% macro not_yet_filled() %}
select
    {% for column in model.columns.values() -%}
    cast(null as {{ column.data_type }}) as {{ column.name }}{{ ',' if not loop.last }}
    {% endfor %}
where false
{% endmacro %}


{# The key as the source gave it: ours is `<source>:<its key>`. #}
{% macro source_key(column) -%} substr({{ column }}, length(source) + 2) {%- endmacro %}


{# What a touch by the business costs, by its kind, else its channel (settings.yml, unit_costs). #}
{% macro unit_cost(touch) -%}
{%- set costs = var('unit_costs') or {} -%}
cast(
        case
            when {{ touch }}.direction <> 'outbound' then null
            {%- for column in ['kind', 'channel'] %}{% for word, cost in costs.items() %}
            when {{ touch }}.{{ column }} = '{{ word }}' then {{ cost }}
            {%- endfor %}{% endfor %}
        end as decimal(18, 4)
    )
{%- endmacro %}
