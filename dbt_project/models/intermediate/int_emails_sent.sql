-- Who was sent which e-mail, and when. The platform tells one send time per campaign; of a campaign
-- that writes every day, the draw of its recipient says when.
with draws as (
    select
        experiments.campaign_id,
        lower(trim(experiments.email)) as address,
        record_customers.customer_id,
        experiments.assigned_at
    from {{ entity_rows('experiments') }} as experiments
    left join {{ ref('int_record_customers') }} as record_customers
        on experiments.source = record_customers.source
        and record_customers.record_kind = 'experiments'
        and experiments.experiment_id = record_customers.record_id
    where experiments.experiment_group = 'treated'
),

address_draws as (
    select campaign_id, address, min(assigned_at) as assigned_at
    from draws
    group by campaign_id, address
),

customer_draws as (
    select campaign_id, customer_id, min(assigned_at) as assigned_at
    from draws
    group by campaign_id, customer_id
)

select
    sent_to.source,
    sent_to.campaign_id,
    sent_to.member_id,
    sent_to.status,
    case
        when coalesce(address_draws.assigned_at, customer_draws.assigned_at)
            > campaigns.send_time
            then coalesce(address_draws.assigned_at, customer_draws.assigned_at)
        else campaigns.send_time
    end as sent_at
from {{ ref('stg_mailchimp__sent_to') }} as sent_to
left join {{ ref('stg_mailchimp__campaigns') }} as campaigns
    on sent_to.source = campaigns.source and sent_to.campaign_id = campaigns.campaign_id
left join {{ ref('int_record_customers') }} as record_customers
    on sent_to.source = record_customers.source
    and record_customers.record_kind = 'customers'
    and sent_to.member_id = record_customers.record_id
left join address_draws
    on sent_to.campaign_id = address_draws.campaign_id
    and lower(trim(sent_to.email_address)) = address_draws.address
left join customer_draws
    on sent_to.campaign_id = customer_draws.campaign_id
    and record_customers.customer_id = customer_draws.customer_id
