{{ config(materialized='view') }}

-- Touches that CRM exports tell of: messages, or a conversation that came without; calls,
-- appointments, referrals. A call from one of our call lists is to whom the list named, and of the
-- campaign that the list is. Grain is touch_id.
with message_counts as (
    select
        source,
        conversation_id,
        count(*) as message_count
    from {{ entity_rows('messages') }} as messages
    group by source, conversation_id
),

told as (
    select
        'conversation:' || conversations.conversation_id as touch_id,
        conversations.source,
        conversations.customer_id,
        conversations.channel,
        case conversations.initiated_by when 'business' then 'outbound' else 'inbound' end
            as direction,
        'message' as kind,
        conversations.opened_at as occurred_at,
        cast({{ seconds_between('conversations.opened_at', 'conversations.closed_at') }} as integer)
            as duration_seconds,
        conversations.conversation_id,
        conversations.campaign_id,
        conversations.order_id,
        conversations.content_class,
        conversations.first_answered_at is not null as is_answered,
        cast(null as varchar) as outcome,
        cast(null as varchar) as purpose
    from {{ ref('int_conversations') }} as conversations
    left join message_counts
        on conversations.source = message_counts.source
        and conversations.source_conversation_id = message_counts.conversation_id
    where message_counts.message_count is null
    {%- set words = {
        'messages': {
            'prefix': 'message', 'key': 'message_id', 'kind': 'message', 'at': 'told.sent_at',
            'channel': 'coalesce(told.channel, conversations.channel)',
            'content_class': 'coalesce(told.content_class, conversations.content_class)',
            'order': 'conversations.order_id',
            'customer': 'coalesce(record_customers.customer_id, conversations.customer_id)',
            'campaign': 'coalesce(told.campaign_id, conversations.campaign_id)',
        },
        'calls': {
            'prefix': 'call', 'key': 'call_id', 'kind': 'call', 'at': 'told.started_at',
            'channel': "'phone'", 'content_class': 'told.content_class',
            'order': 'coalesce(told.order_id, conversations.order_id)',
            'duration': 'told.duration_seconds', 'answered': 'told.is_answered',
            'outcome': 'lower(told.outcome)', 'purpose': 'lower(told.purpose)',
            'list': 'int_sync_calls',
            'customer': 'coalesce(listed.customer_id, record_customers.customer_id, '
                ~ 'conversations.customer_id)',
            'campaign': 'coalesce(told.campaign_id, conversations.campaign_id, listed.sync_id)',
        },
        'appointments': {
            'prefix': 'appointment', 'key': 'appointment_id', 'kind': 'appointment',
            'at': 'coalesce(told.starts_at, told.booked_at)', 'channel': 'told.channel',
            'outcome': 'lower(told.status)', 'purpose': 'lower(told.purpose)',
        },
        'referrals': {
            'prefix': 'referral', 'key': 'referral_id', 'kind': 'referral',
            'at': 'told.referred_at', 'channel': "'unknown'", 'record_kind': 'referrers',
        },
    } %}
    {%- for entity, word in words.items() if has_entity(entity) %}
    {%- set is_talk = entity in ('messages', 'calls') %}
    union all
    select
        '{{ word.prefix }}:' || told.source || ':' || told.{{ word.key }},
        told.source,
        {{ word.get('customer', 'record_customers.customer_id') }},
        {{ word.channel }},
        {{ "case when lower(told.direction) = 'outbound' then 'outbound' else 'inbound' end"
            if is_talk else "'inbound'" }},
        '{{ word.kind }}',
        {{ word.at }},
        cast({{ word.get('duration', 'null') }} as integer),
        {{ 'conversations.conversation_id' if is_talk else 'null' }},
        {{ word.get('campaign', 'null') }},
        {{ word.get('order', 'null') }},
        {{ word.get('content_class', 'null') }},
        cast({{ word.get('answered', 'null') }} as boolean),
        {{ word.get('outcome', 'null') }},
        {{ word.get('purpose', 'null') }}
    from {{ entity_rows(entity) }} as told
    {%- if is_talk %}
left join {{ ref('int_conversations') }} as conversations
    on told.source = conversations.source
    and told.conversation_id = conversations.source_conversation_id
    {%- endif %}
    {%- if word.list %}
    left join {{ ref(word.list) }} as listed
        on '{{ word.prefix }}:' || told.source || ':' || told.{{ word.key }} = listed.touch_id
    {%- endif %}
    left join {{ ref('int_record_customers') }} as record_customers
        on told.source = record_customers.source
        and record_customers.record_kind = '{{ word.get("record_kind", entity) }}'
        and told.{{ word.key }} = record_customers.record_id
    {%- endfor %}
),

-- A number that two shops gave to an order names none.
shop_orders as (
    select
        source_order_id,
        min(order_id) as order_id
    from {{ ref('int_orders') }}
    group by source_order_id
    having count(*) = 1
)

select
    told.touch_id,
    told.source,
    told.customer_id,
    coalesce(channels.channel, 'unknown') as channel,
    told.direction,
    told.kind,
    told.occurred_at,
    told.duration_seconds,
    told.conversation_id,
    told.campaign_id,
    shop_orders.order_id,
    case
        when told.content_class is not null
            then coalesce(content_classes.content_class, 'unknown')
    end as content_class,
    told.is_answered,
    told.outcome,
    told.purpose
from told
left join {{ ref('channels') }} as channels on lower(told.channel) = channels.channel
left join {{ ref('content_classes') }} as content_classes
    on lower(told.content_class) = content_classes.content_class
left join shop_orders on told.order_id = shop_orders.source_order_id
