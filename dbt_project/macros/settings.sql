{# Typed access to the vars of a run. #}

{#
    A value that differs with each run (`as_of`, `run_id`): from the environment, where a run puts
    it, else from the vars. Asked for only in execution, because dbt parses again every file whose
    environment variables or vars have moved.
#}
{% macro run_value(name) -%}
    {{ return(env_var('KHACH_DBT_' ~ name | upper, var(name)) if execute else var(name)) }}
{%- endmacro %}

{# Every threshold of settings.yml by name; the defaults are those of khach/settings.py. #}
{% macro thresholds() -%}
    {%- set values = {
        'loyal_order_days': 3,
        'session_minutes': 30,
        'abandoned_cart_minutes': 60,
        'cart_recovery_days': 7,
        'journey_gap_days': 30,
        'affinity_most_products': 50,
        'affinity_least_pairs': 3,
        'high_spend_score': 5,
        'low_spend_score': 1,
        'repeat_browser_days': 30,
        'repeat_browser_sessions': 3,
        'cart_abandoner_days': 3,
        'store_visit_days': 30,
        'won_back_days': 30,
        'discount_hunter_orders': 2,
        'discount_hunter_share': 0.5,
        'preference_orders': 2,
        'preference_share': 0.5,
        'email_window_days': 90,
        'email_judged_count': 3,
        'email_engaged_share': 0.5,
        'email_fatigued_share': 0.1,
        'trait_units': 3,
        'new_product_days': 30,
        'trend_seeker_share': 0.5,
        'quality_price_rank': 0.75,
        'quality_seeker_share': 0.5,
        'quality_return_share': 0.1,
        'price_sensitive_share': 0.5,
        'social_touch_count': 1,
        'smallest_ward_segment': 5,
        'smallest_answer_segment': 5,
    } -%}
    {%- do values.update(var('thresholds') or {}) -%}
    {{ return(values) }}
{%- endmacro %}

{% macro threshold(name) -%}
    {{ return(thresholds()[name]) }}
{%- endmacro %}


{#
    A vocabulary that the retailer may edit: `<config_dir>/<name>.csv` when it is there, else the
    seed of that name. `columns` maps each column to its type.
#}
{% macro vocabulary(name, columns) -%}
    {%- set seed = ref(name) -%}
    {%- set file = config_csv(name) -%}
    (
        select
            {%- for column, type in columns.items() %}
            cast({{ column }} as {{ type }}) as {{ column }}{{ "," if not loop.last }}
            {%- endfor %}
        from {{ file or seed }}
    )
{%- endmacro %}


{#
    The retailer's `<config_dir>/<name>.csv` as a table of texts; nothing when it is not there. Read
    as `khach config check` reads it: DuckDB's own guess could take a pattern's bars for columns.
#}
{% macro config_csv(name) -%}
    {%- set file = (var('config_dir') ~ '/' ~ name ~ '.csv') | replace("'", "''") -%}
    {%- set is_there = execute and var('config_dir')
        and run_query("select 1 from glob('" ~ file ~ "')").rows | length -%}
    {{ return(
        "read_csv('" ~ file ~ "', header = true, all_varchar = true, delim = ',', quote = '\"', "
        ~ "escape = '\"')" if is_there else none
    ) }}
{%- endmacro %}


{# An original amount in the reporting currency. Two decimals of 18 digits overflow when
    multiplied, so the amount is widened first. #}
{% macro converted(amount, rate) -%}
    {{ money('cast(' ~ amount ~ ' as decimal(38, 4)) * ' ~ rate) }}
{%- endmacro %}


{# The day's rate; money of a day that nobody knows needs none in the currency of the reports. #}
{% macro rate_or_one(rate, currency) -%}
    coalesce({{ rate }}, case when {{ currency }} = '{{ var("reporting_currency") }}' then 1 end)
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
