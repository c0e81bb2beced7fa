{# Attribution, campaigns and experiments: what several models of the measurement share. #}

{# The models of attribution, each with the touches that get credit. #}
{% macro attribution_models() -%}
{{ return({
    'first_touch': 'touch_number = 1',
    'last_touch': 'touch_number = touch_count',
    'linear': 'touch_number > 0',
    'position_based': 'touch_number > 0',
}) }}
{%- endmacro %}

{# The share of an order's credit that the first `number` of its `touch_count` touches have
   together: 0 for none, 1 for all. #}
{% macro share_of_first(number, model) -%}
{%- set shares = {
    'first_touch': 'case when ' ~ number ~ ' > 0 then 1 else 0 end',
    'last_touch': 'case when ' ~ number ~ ' = touch_count then 1 else 0 end',
    'linear': number ~ ' * 1.0 / touch_count',
    'position_based': 'case when ' ~ number ~ ' = 0 then 0 when ' ~ number ~ ' = touch_count then 1'
        ~ ' when touch_count = 2 then 0.5'
        ~ ' else 0.4 + 0.2 * (' ~ number ~ ' - 1) / (touch_count - 2) end',
} -%}
cast({{ shares[model] }} as decimal(18, 12))
{%- endmacro %}

{# A share of gross_amount, rounded. Two decimals of 18 digits overflow when multiplied, and a cast
   alone rounds a wide decimal three times slower. #}
{% macro share_of_amount(share) -%}
case
    when {{ share }} = 0 then 0
    when {{ share }} = 1 then gross_amount
    else {{ money('round(cast(gross_amount as decimal(19, 4)) * ' ~ share ~ ', 4)') }}
end
{%- endmacro %}

{# The end of a window of so many days that opens at a timestamp. #}
{% macro window_ends_at(opens_at, days) -%}
{{ plus_minutes(opens_at, days * 1440) }}
{%- endmacro %}

{# Whether a window of so many days has passed for what happened at a timestamp. #}
{% macro is_window_over(opens_at, days) -%}
({{ window_ends_at(opens_at, days) }} <= {{ as_of_at() }})
{%- endmacro %}

{# Whether a campaign reminds of carts: its audience, or its name, speaks of them. #}
{% macro speaks_of_carts(words) -%}
{{ rx_like("lower(" ~ words ~ ")", 'cart|giỏ') }}
{%- endmacro %}

{#
  The rows of a relation once under `all` and once under each segment that the customer was in
  when the day began on which it happened (the column `on_date`, a business day), so that what
  happened cannot have moved anybody into the segment. What people are and where they live is taken
  as known today, lifecycle from the order days, every other kind from the recorded memberships,
  which begin with the first run. A ward is too small to measure anything in.
#}
{% macro with_segments(relation) -%}
{%- set is_stated = "(segments.kind in ('demographic', 'geographic') "
    ~ "and segments.segment_kind <> 'store')" -%}
select
    happened.*,
    'all' as segment_kind,
    cast(null as varchar) as segment_id
from {{ relation }} as happened
union all
select
    happened.*,
    assigned.segment_kind,
    assigned.segment_id
from {{ relation }} as happened
inner join {{ ref('segment_assignments') }} as assigned
    on happened.customer_id = assigned.customer_id
inner join {{ ref('segments') }} as segments
    on assigned.segment_id = segments.segment_id
    and {{ is_stated }}
    and segments.segment_kind <> 'ward'
union all
select
    happened.*,
    'lifecycle' as segment_kind,
    'lifecycle_' || coalesce(stages.stage, 'lead') as segment_id
from {{ relation }} as happened
left join {{ ref('lifecycle_intervals') }} as stages
    on happened.customer_id = stages.customer_id
    and happened.on_date > stages.valid_from
    and happened.on_date <= coalesce(stages.valid_to, cast('9999-12-31' as date))
where happened.customer_id is not null
union all
select
    happened.*,
    membership.segment_kind,
    membership.segment_id
from {{ relation }} as happened
inner join {{ ref('segment_membership') }} as membership
    on happened.customer_id = membership.customer_id
    -- A run's memberships know of its own day, on which the effect may have begun.
    and happened.on_date > membership.valid_from
    and happened.on_date <= coalesce(membership.valid_to, cast('9999-12-31' as date))
inner join {{ ref('segments') }} as segments
    on membership.segment_id = segments.segment_id
    and not {{ is_stated }}
    and segments.segment_kind <> 'lifecycle'
{%- endmacro %}

{# What lifts are measured by: name, window in days, and the column of `experiment_people` that says
   when a person converted. #}
{% macro lift_metrics() -%}
{%- set metrics = [] -%}
{%- for days in var('measurement').lift_window_days -%}
{%- do metrics.append({'name': 'order', 'days': days, 'at': 'first_order_at'}) -%}
{%- endfor -%}
{%- do metrics.append({'name': 'cart_recovery', 'days': threshold('cart_recovery_days'),
    'at': 'cart_recovered_at'}) -%}
{{ return(metrics) }}
{%- endmacro %}

{# 1 for somebody of a group whose window is over, else null. #}
{% macro is_counted(metric, group) -%}
case when assigned_group = '{{ group }}'
    and {{ is_window_over('assigned_at', metric.days) }} then 1 end
{%- endmacro %}

{# 1 for one of them who converted within it, else null. #}
{% macro is_converted(metric, group) -%}
case when assigned_group = '{{ group }}'
    and {{ is_window_over('assigned_at', metric.days) }}
    and {{ metric.at }} <= {{ window_ends_at('assigned_at', metric.days) }} then 1 end
{%- endmacro %}

{#
  An end (`lower`, `upper`) of the 95 % interval of the difference of two shares: the dictionary's
  normal interval where both groups hold ten who converted and ten who did not; below, where it is
  too narrow, Newcombe's hybrid score interval (Statistics in Medicine 17, 1998, 873-890, method
  10). Null without people in both groups. The arguments are columns of counts.
#}
{% macro lift_bound(end, treated, treated_converted, holdout, holdout_converted) -%}
{%- set sign, other = ('-', '+') if end == 'lower' else ('+', '-') -%}
{%- set ct = 'cast(' ~ treated_converted ~ ' as double) / nullif(' ~ treated ~ ', 0)' -%}
{%- set ch = 'cast(' ~ holdout_converted ~ ' as double) / nullif(' ~ holdout ~ ', 0)' -%}
({{ ct }} - {{ ch }}) {{ sign }} case
    when least(
        {{ treated_converted }}, {{ treated }} - {{ treated_converted }},
        {{ holdout_converted }}, {{ holdout }} - {{ holdout_converted }}
    ) >= 10
        then 1.96 * sqrt(
            {{ ct }} * (1 - {{ ct }}) / {{ treated }}
            + {{ ch }} * (1 - {{ ch }}) / {{ holdout }}
        )
    else sqrt(
        power({{ ct }} - {{ score_bound(treated_converted, treated, sign) }}, 2)
        + power({{ ch }} - {{ score_bound(holdout_converted, holdout, other) }}, 2)
    )
end
{%- endmacro %}

{# An end of Wilson's 95 % interval of a share: (x + z2/2 -+ z sqrt(x (n - x) / n + z2/4)) / (n + z2)
   with z = 1.96. #}
{% macro score_bound(converted, count, sign) -%}
(
    {{ converted }} + 1.9208 {{ sign }} 1.96 * sqrt(
        cast({{ converted }} as double) * ({{ count }} - {{ converted }}) / nullif({{ count }}, 0)
        + 0.9604
    )
) / ({{ count }} + 3.8416)
{%- endmacro %}
