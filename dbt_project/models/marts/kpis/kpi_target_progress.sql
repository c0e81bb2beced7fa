-- What each target's KPI has reached so far. Nothing counted is 0 where the KPI is a sum that was
-- published for the period and the slice's value occurs at all (another is misspelt, or new), and
-- unknown otherwise.
with known as (
    select distinct kpi, slice, slice_value
    from {{ ref('kpi_values') }}
),

actuals as (
    select
        targets.*,
        {{ days_after(dbt.dateadd('month', 1, 'targets.period_start'), -1) }} as month_end,
        coalesce(
            sliced.value,
            case
                when whole.is_additive and whole.value is not null and known.kpi is not null then 0
            end
        ) as actual
    from {{ ref('kpi_targets') }} as targets
    left join {{ ref('kpi_values') }} as sliced
        on targets.kpi = sliced.kpi
        and targets.grain = sliced.grain
        and targets.period_start = sliced.period_start
        and targets.slice = sliced.slice
        and targets.slice_value = sliced.slice_value
    left join {{ ref('kpi_values') }} as whole
        on targets.kpi = whole.kpi
        and targets.grain = whole.grain
        and targets.period_start = whole.period_start
        and whole.slice = 'all'
    left join known
        on targets.kpi = known.kpi
        and targets.slice = known.slice
        and targets.slice_value = known.slice_value
),

dated as (
    select
        *,
        case grain
            when 'day' then period_start
            when 'week' then {{ days_after('period_start', 6) }}
            else month_end
        end as period_end
    from actuals
)

select
    kpi,
    grain,
    period_start,
    period_end,
    slice,
    slice_value,
    target,
    cast(actual as decimal(28, 8)) as actual,
    cast(actual - target as decimal(28, 8)) as difference,
    cast(actual / nullif(target, 0) as decimal(28, 8)) as share_reached,
    period_end < {{ as_of_on() }} as is_over
from dated
