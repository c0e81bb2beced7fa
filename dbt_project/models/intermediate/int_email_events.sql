-- What happened to each e-mail: one row per campaign, recipient, kind and moment.
with activity as (
    select
        source,
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
        campaign_id,
        member_id,
        'sent' as kind,
        cast(null as varchar) as url,
        sent_at as occurred_at
    from {{ ref('int_emails_sent') }}
    union all
    select
        source,
        campaign_id,
        member_id,
        'delivered',
        null,
        sent_at
    from {{ ref('int_emails_sent') }}
    where status = 'sent'
    union all
    -- The report and the activity feed both tell of a bounce: the feed knows when.
    select
        source,
        campaign_id,
        member_id,
        'bounce',
        null,
        sent_at
    from {{ ref('int_emails_sent') }} as sent
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
        campaign_id,
        member_id,
        kind,
        url,
        occurred_at
    from activity
    union all
    select
        source,
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
