-- What share of an experiment was meant to be held out, and who says so: the draw itself
-- (`declared`), the audience's file (`audience_file`), or, where neither does, what the other
-- campaigns to the same audience had, three of them at least (`other_campaigns`).
{{ config(schema='intermediate') }}

with observed as (
    select
        people.drawn_for,
        max(people.audience) as audience,
        max(campaigns.audience) as campaign_audience,
        avg(case when people.assigned_group = 'holdout' then 1.0 else 0.0 end) as observed_share,
        -- A draw that declares two shares declares none.
        case
            when min(people.declared_share) = max(people.declared_share)
                then max(people.declared_share)
        end as declared_share
    from {{ ref('experiment_people') }} as people
    left join {{ ref('campaigns') }} as campaigns on people.campaign_id = campaigns.campaign_id
    group by people.drawn_for
),

others as (
    select
        observed.drawn_for,
        -- Shares are meant in whole percents.
        round(percentile_cont(0.5) within group (order by other.observed_share), 2) as usual_share
    from observed
    inner join observed as other
        on observed.campaign_audience = other.campaign_audience
        and observed.drawn_for <> other.drawn_for
    where observed.declared_share is null
    group by observed.drawn_for
    having count(*) >= 3
)

select
    observed.drawn_for,
    coalesce(observed.declared_share, others.usual_share) as intended_share,
    case
        when observed.declared_share is not null and observed.audience is not null
            then 'audience_file'
        when observed.declared_share is not null then 'declared'
        when others.usual_share is not null then 'other_campaigns'
    end as split_source
from observed
left join others on observed.drawn_for = others.drawn_for
