-- Open leads that are to be decided from today on, with the chance that their stage gives them (the
-- rate of all leads where too few were decided in it). Those overdue or without a day are left out.
select
    leads.lead_id,
    cast({{ dbt.date_trunc('month', 'leads.expected_close_on') }} as date) as month_start,
    coalesce(leads.stage, 'unknown') as stage,
    coalesce(by_stage.win_rate, over_all.win_rate) as win_rate,
    cast(coalesce(leads.expected_amount, 0) as double) as amount
from {{ ref('leads') }} as leads
inner join {{ ref('lead_win_rates') }} as over_all
    on over_all.is_all and over_all.win_rate is not null
left join {{ ref('lead_win_rates') }} as by_stage
    on not by_stage.is_all and coalesce(leads.stage, 'unknown') = by_stage.stage
where leads.outcome is null and leads.expected_close_on >= {{ as_of_on() }}
