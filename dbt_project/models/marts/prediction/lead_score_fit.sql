-- How well the score tells won leads from lost on the last fifth of those decided, by rates of the
-- earlier: the chance that a won lead has the higher of two scores (area under the ROC curve, by
-- the ranks' sum; equal scores share their rank). One row; refused, with a reason in words and no
-- figure, where too few were decided or the rates tell next to nothing.
with judged as (
    select
        lead_groups.is_won,
        rates.win_rate,
        rank() over (order by rates.win_rate asc) as lowest_rank,
        count(*) over (partition by rates.win_rate) as tied_count
    from {{ ref('lead_groups') }} as lead_groups
    inner join {{ ref('lead_score_rates') }} as rates
        on lead_groups.traffic_source = rates.traffic_source
        and lead_groups.has_ordered = rates.has_ordered
        and lead_groups.has_visited = rates.has_visited
    where rates.fit = 'earlier' and lead_groups.is_later
),

summed as (
    select
        cast(count(case when is_won = 1 then 1 end) as double) as won_count,
        cast(count(case when is_won = 0 then 1 end) as double) as lost_count,
        sum(case when is_won = 1 then lowest_rank + (tied_count - 1) / 2.0 end) as won_ranks
    from judged
),

decided as (
    select count(*) as decided_count
    from {{ ref('lead_groups') }}
    where outcome is not null
),

measured as (
    select
        decided.decided_count,
        (summed.won_ranks - summed.won_count * (summed.won_count + 1) / 2)
        / nullif(summed.won_count * summed.lost_count, 0) as auc,
        least(summed.won_count, summed.lost_count) < settings.fewest_held_out as is_unjudged,
        settings.fewest_held_out,
        settings.lowest_auc
    from summed
    cross join decided
    cross join {{ ref('prediction_settings') }} as settings
),

reasoned as (
    select
        decided_count,
        auc,
        case
            when decided_count < 20
                then 'too few decided leads: ' || cast(decided_count as varchar) || ' of 20 needed'
            when is_unjudged
                then 'fewer than ' || cast(fewest_held_out as varchar)
                    || ' won or lost leads among the last fifth of the decided to judge by'
            when auc < lowest_auc
                then 'it ranks held-out leads hardly better than chance (AUC '
                    || cast(cast(auc as decimal(4, 3)) as varchar) || ', '
                    || cast(cast(lowest_auc as decimal(3, 2)) as varchar) || ' needed)'
        end as reason
    from measured
)

select
    decided_count,
    case when reason is null then auc end as holdout_auc,
    reason
from reasoned
