{{ config(materialized='view') }}

-- A conversation as its inbox exports it, in our words, with the customer it is with. Where only
-- its messages were delivered, they make it.
{% set is_outbound = "lower(messages.direction) = 'outbound'" -%}
with message_totals as (
    select
        messages.source,
        messages.namespace,
        messages.conversation_id,
        case
            when min(record_customers.customer_id) = max(record_customers.customer_id)
                then min(record_customers.customer_id)
        end as customer_id,
        min(messages.channel) as channel,
        min(messages.content_class) as content_class,
        min(messages.agent) as agent,
        min(messages.campaign_id) as campaign_id,
        min(messages.sent_at) as first_sent_at,
        min(case when {{ is_outbound }} then messages.sent_at end) as first_outbound_at
    from {{ entity_rows('messages') }} as messages
    left join {{ ref('int_record_customers') }} as record_customers
        on messages.source = record_customers.source
        and record_customers.record_kind = 'messages'
        and messages.message_id = record_customers.record_id
    where messages.conversation_id is not null
    group by messages.source, messages.namespace, messages.conversation_id
),

told as (
    select
        conversations.source,
        conversations.namespace,
        conversations.conversation_id,
        record_customers.customer_id,
        conversations.channel,
        lower(conversations.initiated_by) as initiated_by,
        lower(conversations.status) as status,
        conversations.topic,
        conversations.content_class,
        conversations.sentiment,
        conversations.agent,
        conversations.order_id,
        conversations.campaign_id,
        coalesce(
            conversations.opened_at, conversations.first_answered_at, conversations.closed_at
        ) as opened_at,
        conversations.first_answered_at,
        conversations.closed_at
    from {{ entity_rows('conversations') }} as conversations
    left join {{ ref('int_record_customers') }} as record_customers
        on conversations.source = record_customers.source
        and record_customers.record_kind = 'conversations'
        and conversations.conversation_id = record_customers.record_id
    union all
    select
        totals.source,
        totals.namespace,
        totals.conversation_id,
        totals.customer_id,
        totals.channel,
        case when totals.first_outbound_at = totals.first_sent_at then 'business' end,
        null,
        null,
        totals.content_class,
        null,
        totals.agent,
        null,
        totals.campaign_id,
        totals.first_sent_at,
        case when totals.first_outbound_at > totals.first_sent_at then totals.first_outbound_at end,
        null
    from message_totals as totals
    where not exists (
            select 1
            from {{ entity_rows('conversations') }} as conversations
            where conversations.source = totals.source
                and conversations.conversation_id = totals.conversation_id
        )
)

select
    told.source || ':' || told.conversation_id as conversation_id,
    told.source,
    told.namespace,
    told.conversation_id as source_conversation_id,
    told.customer_id,
    coalesce(channels.channel, 'unknown') as channel,
    case when told.initiated_by = 'business' then 'business' else 'customer' end as initiated_by,
    case
        when told.status in ('open', 'closed') then told.status
        when told.closed_at is not null then 'closed'
        else 'open'
    end as status,
    told.topic,
    case
        when told.content_class is not null
            then coalesce(content_classes.content_class, 'unknown')
    end as content_class,
    told.sentiment,
    told.agent,
    told.order_id,
    told.campaign_id,
    told.opened_at,
    told.first_answered_at,
    told.closed_at
from told
left join {{ ref('channels') }} as channels on lower(told.channel) = channels.channel
left join {{ ref('content_classes') }} as content_classes
    on lower(told.content_class) = content_classes.content_class
