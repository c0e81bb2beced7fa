{# Typed access to the vars of a run. #}

{#
    A value that differs with each run (`as_of`, `run_id`): from the environment, where a run puts
    it, else from the vars. Asked for only in execution, because dbt parses again every file whose
    environment variables or vars have moved.
#}
{% macro run_value(name) -%}
    {{ return(env_var('KHACH_DBT_' ~ name | upper, var(name)) if execute else var(name)) }}
{%- endmacro %}

{% macro threshold(name) -%}
    {%- set defaults = {
        'loyal_order_days': 3,
        'session_minutes': 30,
        'abandoned_cart_minutes': 60,
        'cart_recovery_days': 7,
        'journey_gap_days': 30,
        'affinity_most_products': 50,
        'affinity_least_pairs': 3,
    } -%}
    {{ return((var('thresholds') or {}).get(name, defaults[name])) }}
{%- endmacro %}


{#
    A vocabulary that the retailer may edit: `<config_dir>/<name>.csv` when it is there, else the
    seed of that name. `columns` maps each column to its type.
#}
{% macro vocabulary(name, columns) -%}
    {%- set seed = ref(name) -%}
    {%- set file = var('config_dir') ~ '/' ~ name ~ '.csv' -%}
    {%- set edited = execute and var('config_dir')
        and run_query("select 1 from glob('" ~ file | replace("'", "''") ~ "')").rows | length -%}
    (
        select
            {%- for column, type in columns.items() %}
            cast({{ column }} as {{ type }}) as {{ column }}{{ "," if not loop.last }}
            {%- endfor %}
        from {% if edited -%}
            read_csv('{{ file | replace("'", "''") }}', header = true, all_varchar = true)
        {%- else -%}
            {{ seed }}
        {%- endif %}
    )
{%- endmacro %}


{# An original amount in the reporting currency. Two decimals of 18 digits overflow when
    multiplied, so the amount is widened first. #}
{% macro converted(amount, rate) -%}
    {{ money('cast(' ~ amount ~ ' as decimal(38, 4)) * ' ~ rate) }}
{%- endmacro %}


{#
    dbt-duckdb makes a real table for the new rows of an incremental Python model and forgets it;
    as a post-hook this drops it in the transaction that made it.
#}
{% macro drop_python_leftovers() -%}
    {%- if execute -%}
    {%- set query -%}
        select database_name, schema_name, table_name
        from duckdb_tables()
        where table_name like '{{ this.identifier }}\_\_dbt\_tmp%' escape '\'
    {%- endset -%}
    {%- for row in run_query(query).rows %}
    drop table {{ row[0] }}.{{ row[1] }}.{{ row[2] }};
    {%- endfor %}
    {%- endif -%}
{%- endmacro %}
