-- What the value models know of a customer: purchase days (several orders of one day count once),
-- in weeks, as of the last observed day and as of the day before the part that is held out, which
-- is the second half of the history and 52 weeks at most.
with purchase_days as (
    select customer_id, ordered_on, sum(net_amount) as amount
    from {{ ref('orders') }}
    where is_completed and customer_id is not null
        and ordered_on <= {{ last_observed_on() }}
    group by customer_id, ordered_on
),

history as (
    select
        {{ last_observed_on() }} as last_on,
        {{ days_between('min(ordered_on)', last_observed_on()) }} as days
    from purchase_days
),

bounds as (
    select
        last_on,
        least(days - cast(floor(days / 2.0) as integer), 364) as holdout_days
    from history
),

numbered as (
    select
        purchase_days.*,
        bounds.last_on,
        bounds.holdout_days,
        {{ days_after('bounds.last_on', '-bounds.holdout_days') }} as cut_on,
        min(purchase_days.ordered_on) over (partition by purchase_days.customer_id) as first_on
    from purchase_days
    cross join bounds
),

facts as (
    select
        customer_id,
        last_on,
        cut_on,
        first_on,
        holdout_days,
        count(*) - 1 as repeat_day_count,
        max(ordered_on) as last_ordered_on,
        sum(case when ordered_on > first_on then amount else 0 end) as repeat_total,
        sum(case when ordered_on > first_on and ordered_on <= cut_on then 1 else 0 end)
            as calibration_repeat_day_count,
        max(case when ordered_on <= cut_on then ordered_on end) as calibration_last_ordered_on,
        sum(case when ordered_on > first_on and ordered_on <= cut_on then amount else 0 end)
            as calibration_repeat_total,
        sum(case when ordered_on > cut_on then 1 else 0 end) as holdout_day_count,
        sum(case when ordered_on > cut_on then amount else 0 end) as holdout_amount
    from numbered
    group by customer_id, last_on, cut_on, first_on, holdout_days
)

select
    customer_id,
    cast(repeat_day_count as integer) as repeat_day_count,
    {{ days_between('first_on', 'last_ordered_on') }} / cast(7 as double) as recency_weeks,
    {{ days_between('first_on', 'last_on') }} / cast(7 as double) as age_weeks,
    cast(repeat_total as double) / nullif(repeat_day_count, 0) as repeat_amount,
    case when first_on <= cut_on then cast(calibration_repeat_day_count as integer) end
        as calibration_repeat_day_count,
    {{ days_between('first_on', 'calibration_last_ordered_on') }} / cast(7 as double)
        as calibration_recency_weeks,
    case
        when first_on <= cut_on then {{ days_between('first_on', 'cut_on') }} / cast(7 as double)
    end as calibration_age_weeks,
    cast(calibration_repeat_total as double) / nullif(calibration_repeat_day_count, 0)
        as calibration_repeat_amount,
    holdout_days / cast(7 as double) as holdout_weeks,
    cast(holdout_day_count as integer) as holdout_day_count,
    cast(holdout_amount as double) as holdout_amount
from facts
