-- Campaigns the retailer declares, those only the e-mail platform knows, and those only seen.
with costed as (
    select campaigns.*, rates.rate
    from {{ entity_rows('campaigns') }} as campaigns
    inner join {{ ref('int_sources') }} as sources on campaigns.source = sources.source
    left join {{ ref('int_exchange_rates') }} as rates
        on coalesce(campaigns.currency, sources.currency) = rates.currency
        and {{ business_date('campaigns.started_at') }} >= rates.valid_from
        and {{ business_date('campaigns.started_at') }} < rates.valid_to
),

declared as (
    select
        campaign_id, source, channel, campaign_name, audience, started_at,
        cost * rate as cost_amount, 1 as preference
    from costed
    union all
    select
        campaign_id, source, 'email', coalesce(title, subject_line), null, send_time, null, 2
    from {{ ref('stg_mailchimp__campaigns') }}
    union all
    -- Known by what happened in them only.
    select campaign_id, min(source), min(channel), null, null, min(occurred_at), null, 3
    from (
        select campaign_id, source, 'email' as channel, occurred_at
        from {{ ref('int_email_events') }}
        union all
        select campaign_id, source, channel, occurred_at
        from {{ ref('int_crm_touches') }}
    ) as touched
    where campaign_id is not null
    group by campaign_id
    union all
    select
        campaign_id, source, min(channel), campaign_id as campaign_name, min(audience),
        min(occurred_at), null, 1
    from {{ ref('int_sync_messages') }}
    group by campaign_id, source
    union all
    select
        sync_id, 'khach', 'phone', sync_id as campaign_name, min(audience), min(listed_at), null, 1
    from {{ ref('int_sync_calls') }}
    group by sync_id
),

ranked as (
    select
        *,
        row_number() over (partition by campaign_id order by preference asc, source asc)
            as version_rank
    from declared
)

select
    campaign_id,
    source,
    {{ or_unknown('channel') }} as channel,
    campaign_name,
    audience,
    started_at,
    {{ money('cost_amount') }} as cost_amount
from ranked
where version_rank = 1
