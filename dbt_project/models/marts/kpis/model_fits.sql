-- Parameters that were fitted to this business's own data. Only the lifecycle gaps so far.
{% set fits = {'p40_days': 'p40_days', 'p80_days': 'p80_days'} %}
{% for parameter, column in fits.items() -%}
select
    'lifecycle_gaps' as model,
    {{ as_of_at() }} as fitted_at,
    '{{ parameter }}' as parameter,
    cast({{ column }} as double) as value,
    cast(null as double) as holdout_metric,
    {{ column }} is null as is_refused,
    case when {{ column }} is null then 'nobody has ordered on two days' end as reason
from {{ ref('lifecycle_thresholds') }}
{{ 'union all' if not loop.last }}
{% endfor %}
