-- Days of the observed period with the week and month each lies in. The first day is the first
-- touch on any channel; the last is the day the observed period ends in, maybe not yet complete.
{{ config(schema='intermediate') }}
{% set bounds_query %}
select
    {{ business_date("min(occurred_at)") }},
    {{ days_after(last_observed_on(), 1) }}
from {{ ref('interactions') }}
{% endset %}
{% set is_building = execute and flags.WHICH in ['run', 'build'] %}
{% set bounds = run_query(bounds_query).rows[0] if is_building else [none, none] %}
with days as (
    {% if bounds[0] is not none and bounds[0] < bounds[1] -%}
    select cast(date_day as date) as on_date
    from ({{ dbt.date_spine(
        'day', "cast('" ~ bounds[0] ~ "' as date)", "cast('" ~ bounds[1] ~ "' as date)"
    ) }}) as spine
    {%- else -%}
    select cast(null as date) as on_date
    where false
    {%- endif %}
)

{% for grain in ['day', 'week', 'month'] -%}
select
    '{{ grain }}' as grain,
    on_date,
    cast({{ dbt.date_trunc(grain, 'on_date') }} as date) as period_start,
    {{ days_after(
        dbt.dateadd(grain, 1, 'cast(' ~ dbt.date_trunc(grain, 'on_date') ~ ' as date)'), -1
    ) }} as period_end
from days
{{ 'union all' if not loop.last }}
{% endfor %}
