{{ config(materialized='view', schema='intermediate') }}

-- Texts that people wrote back: an inbound message outside any conversation, within seven days
-- after a message of ours to the same person on the same channel, the last of which it answers.
-- Grain is touch_id.
with paired as (
    select
        told.touch_id,
        told.source,
        told.message_id,
        told.customer_id,
        told.channel,
        told.body,
        told.sent_at,
        sent.campaign_id,
        sent.content_class,
        row_number() over (
            partition by told.touch_id order by sent.occurred_at desc, sent.touch_id asc
        ) as answer_rank
    from (
        select
            'message:' || messages.source || ':' || messages.message_id as touch_id,
            messages.source,
            messages.message_id,
            record_customers.customer_id,
            lower(messages.channel) as channel,
            trim(messages.body) as body,
            messages.sent_at
        from {{ entity_rows('messages') }} as messages
        inner join {{ ref('int_record_customers') }} as record_customers
            on messages.source = record_customers.source
            and record_customers.record_kind = 'messages'
            and messages.message_id = record_customers.record_id
        where lower(messages.direction) = 'inbound' and messages.conversation_id is null
    ) as told
    inner join {{ ref('sync_messages') }} as sent
        on told.customer_id = sent.customer_id
        and told.channel = sent.channel
        and told.sent_at >= sent.occurred_at
        and told.sent_at < {{ window_ends_at('sent.occurred_at', 7) }}
)

select
    touch_id,
    source,
    message_id,
    customer_id,
    channel,
    body,
    sent_at,
    campaign_id,
    content_class
from paired
where answer_rank = 1
