-- How often decided leads were won: over all, and per stage in which at least 20 were decided. A
-- lead's stage is the last its source told, so a CRM that renames it on closing has the rate of all
-- alone.
{% set fewest = 20 -%}
with decided as (
    select
        coalesce(stage, 'unknown') as stage,
        case when outcome = 'won' then 1 else 0 end as is_won
    from {{ ref('leads') }}
    where outcome is not null
)

select
    'all' as stage,
    true as is_all,
    count(*) as decided_count,
    sum(is_won) as won_count,
    case when count(*) >= {{ fewest }} then sum(is_won) / cast(count(*) as double) end as win_rate,
    case
        when count(*) < {{ fewest }}
            then 'too few decided leads: ' || cast(count(*) as varchar) || ' of {{ fewest }} needed'
    end as reason
from decided
union all
select stage, false, count(*), sum(is_won), sum(is_won) / cast(count(*) as double), null
from decided
group by stage
having count(*) >= {{ fewest }}
