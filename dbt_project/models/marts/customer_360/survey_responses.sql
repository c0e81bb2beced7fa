-- Answers to surveys: as a source tells them, and digits from 1 to 5 that answer a text of ours
-- whose purpose is a survey. A number that two shops gave to an order names none.
with shop_orders as (
    select source_order_id, min(order_id) as order_id
    from {{ ref('int_orders') }}
    group by source_order_id
    having count(*) = 1
)

select
    responses.source || ':' || responses.response_id as response_id,
    responses.response_id as source_response_id,
    responses.source,
    known_customers.customer_id,
    responses.survey,
    responses.kind,
    coalesce(channels.channel, 'email') as channel,
    shop_orders.order_id,
    responses.score,
    responses.scale_min,
    responses.scale_max,
    responses.satisfied_score,
    responses.comment,
    responses.answers,
    responses.answered_at
from {{ entity_rows('survey_responses') }} as responses
left join {{ ref('int_record_customers') }} as record_customers
    on responses.source = record_customers.source
    and record_customers.record_kind = 'survey_responses'
    and responses.response_id = record_customers.record_id
left join {{ ref('known_customers') }} as known_customers
    on record_customers.customer_id = known_customers.customer_id
left join {{ ref('channels') }} as channels on lower(responses.channel) = channels.channel
left join shop_orders on responses.order_id = shop_orders.source_order_id
union all
select
    replies.source || ':message:' || replies.message_id,
    'message:' || replies.message_id,
    replies.source,
    known_customers.customer_id,
    replies.campaign_id,
    'csat',
    replies.channel,
    null,
    cast(replies.body as decimal(18, 4)),
    1,
    5,
    4,
    null,
    null,
    replies.sent_at
from {{ ref('int_message_replies') }} as replies
left join {{ ref('known_customers') }} as known_customers
    on replies.customer_id = known_customers.customer_id
where replies.content_class = 'feedback' and replies.body in ('1', '2', '3', '4', '5')
