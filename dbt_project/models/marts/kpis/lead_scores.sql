-- Open leads and how likely they are to be won: 100 times the rate of decided leads that came from
-- the same source, with the same past. None where the data does not allow it, or where such rates
-- do not tell won leads from lost (model_fits).
select
    groups.lead_id,
    cast(round(100 * rates.win_rate) as integer) as score,
    groups.traffic_source,
    groups.has_ordered = 1 as has_ordered,
    groups.has_visited = 1 as has_visited,
    cast(rates.decided_count as integer) as decided_count,
    cast(rates.won_count as integer) as won_count
from {{ ref('lead_groups') }} as groups
inner join {{ ref('lead_score_rates') }} as rates
    on groups.traffic_source = rates.traffic_source
    and groups.has_ordered = rates.has_ordered
    and groups.has_visited = rates.has_visited
cross join {{ ref('lead_score_fit') }} as fit
where rates.fit = 'all' and groups.outcome is null and fit.reason is null
