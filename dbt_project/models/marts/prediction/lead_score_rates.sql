-- How often leads of a group were won, drawn towards the rate of all by as many as 20 leads would
-- (few say little). fit is `all`, or `earlier`: the first four fifths of the decided, for judging
-- the score on the rest. Nothing where fewer than 20 were decided.
{% set weight = 20 -%}
with fits as (
    select 'all' as fit, lead_groups.* from {{ ref('lead_groups') }} as lead_groups
    where outcome is not null
    union all
    select 'earlier' as fit, lead_groups.* from {{ ref('lead_groups') }} as lead_groups
    where outcome is not null and not is_later
),

over_all as (
    select
        fit,
        count(*) as decided_count,
        sum(is_won) / cast(count(*) as double) as win_rate
    from fits
    group by fit
),

candidates as (
    select distinct traffic_source, has_ordered, has_visited
    from {{ ref('lead_groups') }}
),

grouped as (
    select
        fit,
        traffic_source,
        has_ordered,
        has_visited,
        count(*) as decided_count,
        sum(is_won) as won_count
    from fits
    group by fit, traffic_source, has_ordered, has_visited
)

select
    over_all.fit,
    candidates.traffic_source,
    candidates.has_ordered,
    candidates.has_visited,
    coalesce(grouped.decided_count, 0) as decided_count,
    coalesce(grouped.won_count, 0) as won_count,
    (coalesce(grouped.won_count, 0) + {{ weight }} * over_all.win_rate)
    / (coalesce(grouped.decided_count, 0) + {{ weight }}) as win_rate
from over_all
cross join candidates
left join grouped
    on over_all.fit = grouped.fit
    and candidates.traffic_source = grouped.traffic_source
    and candidates.has_ordered = grouped.has_ordered
    and candidates.has_visited = grouped.has_visited
where over_all.decided_count >= {{ weight }}
