-- What a campaign, or membership of an audience, changed: treated against held out, everyone
-- assigned counts (docs/kpis.md). People whose window is not over are not counted yet, on neither
-- side. The check of the split: chi-squared with one degree of freedom, p < 0.001 above 10.828.
{% set metrics = lift_metrics() -%}
with people as (
    select
        drawn_for, campaign_id, audience, customer_id, on_date, is_about_carts
        {%- for metric in metrics %}
        {%- set suffix = metric.name ~ '_' ~ metric.days %}
        {%- for group in ['treated', 'holdout'] %},
        {{ is_counted(metric, group) }} as {{ group }}_{{ suffix }},
        {{ is_converted(metric, group) }} as {{ group }}_converted_{{ suffix }}
        {%- endfor %}{% endfor %}
    from {{ ref('experiment_people') }}
),

segmented as (
    {{ with_segments('people') }}
),

counted as (
    select
        drawn_for,
        max(campaign_id) as campaign_id,
        max(audience) as audience,
        segment_kind,
        segment_id,
        {%- for metric in metrics %}
        {%- for group in ['treated', 'treated_converted', 'holdout', 'holdout_converted'] %}
        {%- set name = group ~ '_' ~ metric.name ~ '_' ~ metric.days %}
        count({{ name }}) as {{ name }},
        {%- endfor %}{% endfor %}
        max(case when is_about_carts then 1 else 0 end) as is_about_carts
    from segmented
    group by drawn_for, segment_kind, segment_id
),

measured as (
    {% for metric in metrics -%}
    {% set suffix = metric.name ~ '_' ~ metric.days -%}
    select
        drawn_for, audience, campaign_id, segment_kind, segment_id,
        '{{ metric.name }}' as metric,
        {{ metric.days }} as window_days,
        treated_{{ suffix }} as treated_count,
        treated_converted_{{ suffix }} as treated_converted,
        holdout_{{ suffix }} as holdout_count,
        holdout_converted_{{ suffix }} as holdout_converted,
        treated_converted_{{ suffix }} / nullif(cast(treated_{{ suffix }} as double), 0) as ct,
        holdout_converted_{{ suffix }} / nullif(cast(holdout_{{ suffix }} as double), 0) as ch
    from counted
    {{ "where is_about_carts = 1" if metric.name == 'cart_recovery' }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

planned as (
    select
        measured.*,
        splits.intended_share,
        splits.split_source,
        measured.treated_count + measured.holdout_count as people_count
    from measured
    left join {{ ref('experiment_splits') }} as splits on measured.drawn_for = splits.drawn_for
),

judged as (
    select
        *,
        ct - ch as lift_abs,
        {% for end in ['lower', 'upper'] -%}
        {{ lift_bound(
            end, 'treated_count', 'treated_converted', 'holdout_count', 'holdout_converted'
        ) }} as {{ end }}_95,
        {% endfor -%}
        -- Null where no share is known, or nobody, or everybody, was meant to be held out.
        power(holdout_count - people_count * intended_share, 2)
        / nullif(people_count * intended_share * (1 - intended_share), 0) <= 10.828
            as is_split_as_meant
    from planned
)

select
    judged.audience,
    judged.campaign_id,
    judged.segment_kind,
    judged.segment_id,
    judged.metric,
    judged.window_days,
    cast(judged.treated_count as integer) as treated_count,
    cast(judged.treated_converted as integer) as treated_converted,
    cast(judged.holdout_count as integer) as holdout_count,
    cast(judged.holdout_converted as integer) as holdout_converted,
    judged.lift_abs,
    judged.lower_95,
    judged.upper_95,
    judged.lift_abs / nullif(judged.ch, 0) as lift_rel,
    judged.treated_count * judged.lift_abs as incremental_conversions,
    cast(judged.intended_share as double) as intended_share,
    judged.split_source,
    -- A split that is off for all is off for every segment.
    judged.is_split_as_meant and whole.is_split_as_meant as is_trustworthy
from judged
inner join judged as whole
    on judged.drawn_for = whole.drawn_for
    and judged.metric = whole.metric
    and judged.window_days = whole.window_days
    and whole.segment_kind = 'all'
