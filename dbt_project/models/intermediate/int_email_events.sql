-- What happened to each e-mail: one row per campaign, recipient, kind and moment. The platform
-- tells one send time per campaign; of one that writes every day, the draw says when.
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
),

sent as (
    select
        sent_to.source,
        sent_to.namespace,
        sent_to.campaign_id,
        sent_to.member_id,
        sent_to.status,
        campaigns.list_id,
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
),

activity as (
    select
        source,
        namespace,
        campaign_id,
        member_id,
        action as kind,
        url,
        occurred_at
    from {{ ref('stg_mailchimp__email_activity') }}
    where action in ('open', 'click', 'bounce')
),

told as (
    select
        source,
        namespace,
        campaign_id,
        member_id,
        'sent' as kind,
        cast(null as varchar) as url,
        sent_at as occurred_at
    from sent
    union all
    select
        source,
        namespace,
        campaign_id,
        member_id,
        'delivered',
        null,
        sent_at
    from sent
    where status = 'sent'
    union all
    -- The report and the activity feed both tell of a bounce: the feed knows when.
    select
        source,
        namespace,
        campaign_id,
        member_id,
        'bounce',
        null,
        sent_at
    from sent
    where status in ('hard', 'soft')
        and not exists (
            select 1
            from activity
            where activity.kind = 'bounce'
                and activity.source = sent.source
                and activity.campaign_id = sent.campaign_id
                and activity.member_id = sent.member_id
        )
    union all
    select
        source,
        namespace,
        campaign_id,
        member_id,
        kind,
        url,
        occurred_at
    from activity
    union all
    select
        source,
        namespace,
        campaign_id,
        member_id,
        'unsubscribe',
        null,
        occurred_at
    from {{ ref('stg_mailchimp__unsubscribes') }}
)

select
    {{ sha256("concat_ws('|', told.source, told.campaign_id, told.member_id, told.kind, "
        ~ "cast(told.occurred_at as varchar), coalesce(told.url, ''))") }} as email_event_id,
    told.source,
    told.campaign_id,
    told.member_id,
    record_customers.customer_id,
    told.kind,
    told.url,
    told.occurred_at
from told
left join {{ ref('int_record_customers') }} as record_customers
    on told.source = record_customers.source
    and record_customers.record_kind = 'customers'
    and told.member_id = record_customers.record_id
where {{ had_happened('told.occurred_at') }}
{%- if has_entity('email_events') %}
union all
-- Events that an e-mail tool exports; the recipient is whatever it calls one.
select
    delivered.source || ':' || delivered.email_event_id,
    delivered.source,
    delivered.campaign_id,
    coalesce(
        delivered.external_id, delivered.user_id, delivered.member_number, delivered.email
    ),
    record_customers.customer_id,
    delivered.kind,
    delivered.url,
    delivered.occurred_at
from {{ entity_rows('email_events') }} as delivered
left join {{ ref('int_record_customers') }} as record_customers
    on delivered.source = record_customers.source
    and record_customers.record_kind = 'email_events'
    and delivered.email_event_id = record_customers.record_id
{%- endif %}
