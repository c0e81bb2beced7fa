{{ config(materialized='view') }}

-- A conversation as its inbox exports it, in our words, with the customer it is with.
select
    told.source || ':' || told.conversation_id as conversation_id,
    told.source,
    told.namespace,
    told.conversation_id as source_conversation_id,
    record_customers.customer_id,
    coalesce(channels.channel, 'unknown') as channel,
    case when lower(told.initiated_by) = 'business' then 'business' else 'customer' end
        as initiated_by,
    case
        when lower(told.status) in ('open', 'closed') then lower(told.status)
        when told.closed_at is not null then 'closed'
        else 'open'
    end as status,
    told.topic,
    told.content_class,
    told.sentiment,
    told.agent,
    told.order_id,
    told.campaign_id,
    coalesce(told.opened_at, told.first_answered_at, told.closed_at) as opened_at,
    told.first_answered_at,
    told.closed_at
from {{ entity_rows('conversations') }} as told
left join {{ ref('int_record_customers') }} as record_customers
    on told.source = record_customers.source
    and record_customers.record_kind = 'conversations'
    and told.conversation_id = record_customers.record_id
left join {{ ref('channels') }} as channels on lower(told.channel) = channels.channel
