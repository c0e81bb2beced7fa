-- A conversation with its last message: it awaits an answer while it is open and the customer
-- spoke last.
with messages as (
    select
        conversation_id, direction, occurred_at,
        count(*) over (partition by conversation_id) as message_count,
        row_number() over (
            partition by conversation_id order by occurred_at desc nulls last, touch_id desc
        ) as recency_rank
    from {{ ref('int_crm_touches') }}
    where kind = 'message' and touch_id not like 'conversation:%'
)

select
    conversations.conversation_id,
    conversations.source,
    known_customers.customer_id,
    conversations.channel,
    conversations.initiated_by,
    conversations.status,
    conversations.opened_at,
    conversations.first_answered_at,
    conversations.closed_at,
    conversations.topic,
    conversations.content_class,
    conversations.sentiment,
    conversations.agent,
    cast(coalesce(messages.message_count, 0) as integer) as message_count,
    coalesce(messages.occurred_at, conversations.opened_at) as last_message_at,
    conversations.status = 'open'
    and case
        when messages.direction is not null then messages.direction = 'inbound'
        else conversations.initiated_by = 'customer' and conversations.first_answered_at is null
    end as is_awaiting_answer
from {{ ref('int_conversations') }} as conversations
left join messages
    on conversations.conversation_id = messages.conversation_id and messages.recency_rank = 1
left join {{ ref('known_customers') }} as known_customers
    on conversations.customer_id = known_customers.customer_id
