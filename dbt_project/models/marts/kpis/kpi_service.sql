-- Entities of the service KPIs: contacts, which are conversations, and messages and calls from
-- customers outside of any, on the day they began. A complaint or a question that answers a text
-- of ours is one too.
{{ config(schema='intermediate') }}

with touches as (
    select
        coalesce(conversation_id, interaction_id) as contact_id,
        min(conversation_id) as conversation_id,
        min(customer_id) as customer_id,
        min(channel) as channel,
        min(order_id) as order_id,
        min(occurred_at) as occurred_at,
        max(case when direction = 'inbound' and content_class = 'complaint' then 1 else 0 end)
            as is_complaint
    from {{ ref('interactions') }}
    where (kind in ('message', 'call') and (conversation_id is not null or direction = 'inbound'))
        or (kind = 'reply' and content_class in ('complaint', 'question'))
    group by coalesce(conversation_id, interaction_id)
),

contacts as (
    select
        touches.contact_id,
        touches.order_id,
        coalesce(conversations.customer_id, touches.customer_id) as customer_id,
        coalesce(conversations.channel, touches.channel) as channel,
        coalesce(conversations.opened_at, touches.occurred_at) as opened_at,
        conversations.topic,
        conversations.conversation_id is not null as is_conversation,
        coalesce(conversations.initiated_by, 'customer') = 'customer' as is_inbound,
        coalesce(conversations.status, '') = 'closed' as is_closed,
        {{ seconds_between('conversations.opened_at', 'conversations.first_answered_at') }}
            as seconds_to_answer,
        greatest(
            touches.is_complaint,
            case
                when conversations.content_class = 'complaint'
                    and conversations.initiated_by = 'customer' then 1
                else 0
            end
        ) as is_complaint
    from touches
    left join {{ ref('conversations') }} as conversations
        on touches.conversation_id = conversations.conversation_id
),

followed as (
    select
        contact_id,
        lag(opened_at) over (
            partition by customer_id, topic order by opened_at asc, contact_id asc
        ) as previous_opened_at
    from contacts
    where is_inbound and customer_id is not null and topic is not null
)

select
    {{ business_date('contacts.opened_at') }} as on_date,
    contacts.opened_at,
    contacts.order_id,
    case when contacts.is_inbound then 1 else 0 end as is_inbound,
    case when contacts.is_conversation then 1 else 0 end as is_conversation,
    case when contacts.is_conversation and contacts.is_closed then 1 else 0 end as is_resolved,
    case when contacts.is_inbound then contacts.seconds_to_answer end as seconds_to_answer,
    case
        when contacts.opened_at
            <= {{ plus_minutes('followed.previous_opened_at', 7 * 1440) }} then 1
        else 0
    end as is_repeat,
    contacts.is_complaint,
    contacts.channel,
    customers.province,
    customers.country,
    {{ customer_slices() }}
from contacts
left join followed on contacts.contact_id = followed.contact_id
left join {{ ref('kpi_customers') }} as customers on contacts.customer_id = customers.customer_id
