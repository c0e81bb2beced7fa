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
    conversations.agent
from {{ ref('int_conversations') }} as conversations
left join {{ ref('known_customers') }} as known_customers
    on conversations.customer_id = known_customers.customer_id
