-- Parameters that were fitted to this business's own data, and how well each model did on data that
-- was held out, or why the data did not allow it.
{% set gaps = {'p40_days': 'p40_days', 'p80_days': 'p80_days'} -%}
{% set figures = ['coverage_80', 'error_share'] -%}
with fits as (
    {% for parameter, column in gaps.items() -%}
    select
        'lifecycle_gaps' as model,
        '{{ parameter }}' as parameter,
        cast({{ column }} as double) as value,
        cast(null as double) as holdout_metric,
        {{ column }} is null as is_refused,
        case when {{ column }} is null then 'nobody has ordered on two days' end as reason
    from {{ ref('lifecycle_thresholds') }}
    union all
    {% endfor -%}
    select model, parameter, value, holdout_metric, is_refused, reason
    from {{ ref('customer_value_fits') }}
    union all
    select model, parameter, value, holdout_metric, is_refused, reason
    from {{ ref('session_intents') }}
    where session_id is null
    {% for figure in figures -%}
    union all
    select
        'sales_forecast',
        slice || ' ' || slice_value || ' ' || measure || ': {{ figure }}',
        max({{ figure }}),
        max(coverage_80),
        max(reason) is not null,
        max(reason)
    from {{ ref('sales_series') }}
    group by slice, slice_value, measure
    {% endfor -%}
    union all
    select 'lead_win_rate', stage, win_rate, cast(null as double), win_rate is null, reason
    from {{ ref('lead_win_rates') }}
    where decided_count > 0
    union all
    select
        'lead_score', 'holdout_auc', holdout_auc as value, holdout_auc, reason is not null, reason
    from {{ ref('lead_score_fit') }}
    where decided_count > 0
)

select
    model,
    {{ as_of_at() }} as fitted_at,
    parameter,
    value,
    holdout_metric,
    is_refused,
    reason
from fits
