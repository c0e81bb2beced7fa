-- Every touch between a person and the business, on any channel, one row each.
with touches as (
    select
        'web:' || source || ':' || message_id as interaction_id, source, customer_id,
        'web' as channel, 'inbound' as direction, kind, 'customer' as initiated_by, occurred_at,
        cast(null as varchar) as campaign_id, cast(null as varchar) as order_id,
        cast(null as varchar) as content_class, cast(null as integer) as duration_seconds,
        cast(null as varchar) as conversation_id, cast(null as boolean) as is_answered,
        cast(null as varchar) as outcome, cast(null as varchar) as purpose
    from {{ ref('int_web_events') }}
    where kind in ('view', 'search', 'cart')
    union all
    select
        'visit:' || session_id, source, customer_id,
        'web', 'inbound', 'visit', 'customer', started_at, null, null, null,
        null, null, null, null, null
    from {{ ref('int_sessions') }}
    union all
    select
        'order:' || order_id, source, customer_id,
        channel, 'inbound', 'order', 'customer', ordered_at, null, order_id, 'transaction',
        null, null, null, null, null
    from {{ ref('int_orders') }}
    union all
    select
        'email:' || email_event_id, source, customer_id, 'email',
        case when kind = 'sent' then 'outbound' else 'inbound' end,
        case kind when 'sent' then 'message' else kind end,
        case when kind = 'sent' then 'business' else 'customer' end,
        occurred_at, campaign_id, null, 'promotion', null, null, null,
        null, null
    from {{ ref('int_email_events') }}
    where kind in ('sent', 'open', 'click')
    union all
    select
        'survey:' || response_id, source, customer_id,
        channel, 'inbound', 'survey', 'customer', answered_at, null, order_id, 'feedback',
        null, null, null, null, null
    from {{ ref('survey_responses') }}
    -- An answer by text is a reply, below.
    where source_response_id not like 'message:%'
    union all
    select
        'refund:' || refunds.refund_id, refunds.source, orders.customer_id,
        orders.channel, 'inbound', 'return', 'customer', refunds.refunded_at, null,
        refunds.order_id, 'care', null, null, null, null, null
    from {{ ref('refunds') }} as refunds
    inner join {{ ref('int_orders') }} as orders on refunds.order_id = orders.order_id
    union all
    select
        told.touch_id, told.source, coalesce(replies.customer_id, told.customer_id),
        told.channel, told.direction,
        case when replies.touch_id is null then told.kind else 'reply' end,
        case told.direction when 'outbound' then 'business' else 'customer' end,
        told.occurred_at, coalesce(replies.campaign_id, told.campaign_id), told.order_id,
        coalesce(told.content_class, replies.content_class),
        told.duration_seconds, told.conversation_id, told.is_answered, told.outcome, told.purpose
    from {{ ref('int_crm_touches') }} as told
    left join {{ ref('int_message_replies') }} as replies on told.touch_id = replies.touch_id
    union all
    select
        touch_id, source, customer_id, channel, 'outbound', 'message', 'business', occurred_at,
        campaign_id, null, content_class, null, null, null, null, null
    from {{ ref('int_sync_messages') }}
)

select
    touches.interaction_id,
    touches.source,
    known_customers.customer_id,
    touches.channel,
    touches.direction,
    touches.kind,
    touches.initiated_by,
    touches.occurred_at,
    touches.duration_seconds,
    touches.conversation_id,
    touches.campaign_id,
    touches.order_id,
    touches.content_class,
    {{ unit_cost('touches') }} as cost_amount,
    touches.is_answered,
    touches.outcome,
    touches.purpose
from touches
left join {{ ref('known_customers') }} as known_customers
    on touches.customer_id = known_customers.customer_id
