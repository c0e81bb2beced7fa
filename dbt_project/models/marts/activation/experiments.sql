-- Who was drawn into which group of a campaign's experiment; drawn twice, the first draw counts.
with drawn as (
    select
        experiments.campaign_id,
        known_customers.customer_id,
        experiments.experiment_group,
        experiments.assigned_at,
        cast(experiments.holdout_share as decimal(18, 4)) as holdout_share,
        experiments.source,
        row_number() over (
            partition by experiments.campaign_id, known_customers.customer_id
            order by
                experiments.assigned_at asc nulls last,
                experiments.experiment_group asc,
                experiments.experiment_id asc
        ) as draw_rank
    from {{ entity_rows('experiments') }} as experiments
    inner join {{ ref('int_record_customers') }} as record_customers
        on experiments.source = record_customers.source
        and record_customers.record_kind = 'experiments'
        and experiments.experiment_id = record_customers.record_id
    inner join {{ ref('known_customers') }} as known_customers
        on record_customers.customer_id = known_customers.customer_id
)

select
    campaign_id,
    customer_id,
    experiment_group as {{ adapter.quote('group') }},
    assigned_at,
    holdout_share,
    source
from drawn
where draw_rank = 1
