{{ config(materialized='view') }}

-- Messages that our own syncs sent, as touches; a sync is its own campaign. What was only meant to
-- go out, or went to own staff, is none. Grain is touch_id.
select
    'sync:' || messages.entry_id as touch_id,
    'khach' as source,
    coalesce(survivors.current_customer_id, messages.customer_id) as customer_id,
    messages.consent_channel as channel,
    messages.sent_at as occurred_at,
    messages.sync_id as campaign_id,
    messages.audience,
    messages.identifier_hash,
    case messages.purpose
        when 'service' then 'care'
        when 'survey' then 'feedback'
        else 'promotion'
    end as content_class,
    messages.status = 'delivered' as is_delivered
from state.main.messages as messages
left join {{ ref('identity_survivors') }} as survivors
    on messages.customer_id = survivors.customer_id
where messages.status in ('submitted', 'accepted', 'delivered', 'failed')
    and messages.customer_id not like 'seed:%'
    -- A run sends at the end of what it observed, after its models: they are the next run's.
    and messages.sent_at < {{ as_of_at() }}
