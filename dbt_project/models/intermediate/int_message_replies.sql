{{ config(materialized='view') }}

-- Texts that people wrote back: an inbound message outside any conversation, within seven days
-- after a message of ours on the same channel, the last of which it answers. Who answers is whom
-- we wrote to at that number; else, from another number of theirs, the person it is known to be.
-- Grain is touch_id.
with told as (
    select
        'message:' || messages.source || ':' || messages.message_id as touch_id,
        messages.source,
        messages.message_id,
        record_customers.customer_id,
        {{ sha256('messages.phone') }} as identifier_hash,
        lower(messages.channel) as channel,
        trim(messages.body) as body,
        messages.sent_at
    from {{ entity_rows('messages') }} as messages
    left join {{ ref('int_record_customers') }} as record_customers
        on messages.source = record_customers.source
        and record_customers.record_kind = 'messages'
        and messages.message_id = record_customers.record_id
    where lower(messages.direction) = 'inbound' and messages.conversation_id is null
),

paired as (
    {% for key in ['identifier_hash', 'customer_id'] -%}
    select
        told.touch_id,
        sent.customer_id,
        sent.campaign_id,
        sent.content_class,
        sent.occurred_at,
        sent.touch_id as answered_touch_id,
        {{ loop.index }} as preference
    from told
    inner join {{ ref('int_sync_messages') }} as sent
        on told.{{ key }} = sent.{{ key }}
        and told.channel = sent.channel
        and told.sent_at >= sent.occurred_at
        and told.sent_at < {{ window_ends_at('sent.occurred_at', 7) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

ranked as (
    select
        *,
        row_number() over (
            partition by touch_id
            order by preference asc, occurred_at desc, answered_touch_id asc
        ) as answer_rank
    from paired
)

select
    told.touch_id,
    told.source,
    told.message_id,
    ranked.customer_id,
    told.channel,
    told.body,
    told.sent_at,
    ranked.campaign_id,
    ranked.content_class
from told
inner join ranked on told.touch_id = ranked.touch_id and ranked.answer_rank = 1
