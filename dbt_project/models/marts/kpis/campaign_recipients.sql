-- Whom a campaign reached on any channel that tells of it, one row per campaign and recipient: the
-- customer, or the address or touch of somebody unknown. A campaign that writes every day reports
-- one send time for all; where its recipients were drawn into an experiment, the draw says when.
{{ config(schema='intermediate') }}
{% set days = var('measurement').campaign_window_days -%}
with told as (
    select
        campaign_id,
        coalesce(customer_id, source || ':' || member_id) as recipient,
        customer_id,
        kind,
        occurred_at
    from {{ ref('int_email_events') }}
    union all
    select campaign_id, coalesce(customer_id, touch_id), customer_id, 'sent', occurred_at
    from {{ ref('int_crm_touches') }}
    where direction = 'outbound'
    union all
    select campaign_id, coalesce(customer_id, touch_id), customer_id, 'delivered', occurred_at
    from {{ ref('int_crm_touches') }}
    where direction = 'outbound' and is_answered
    union all
    select campaign_id, customer_id as recipient, customer_id, 'sent', occurred_at
    from {{ ref('int_sync_messages') }}
    union all
    select campaign_id, customer_id as recipient, customer_id, 'delivered', occurred_at
    from {{ ref('int_sync_messages') }}
    where is_delivered
    union all
    select campaign_id, customer_id as recipient, customer_id, 'reply', sent_at
    from {{ ref('int_message_replies') }}
),

summed as (
    select
        campaign_id,
        recipient,
        max(customer_id) as customer_id,
        coalesce(
            min(case when kind = 'sent' then occurred_at end),
            min(occurred_at)
        ) as reported_at,
        max(case when kind = 'delivered' then 1 else 0 end) as is_delivered,
        max(case when kind = 'open' then 1 else 0 end) as is_opened,
        max(case when kind = 'click' then 1 else 0 end) as is_clicked,
        max(case when kind = 'reply' then 1 else 0 end) as is_replied,
        max(case when kind = 'unsubscribe' then 1 else 0 end) as is_unsubscribed,
        max(case when kind = 'bounce' then 1 else 0 end) as is_bounced
    from told
    where campaign_id is not null
    group by campaign_id, recipient
),

timed as (
    select
        summed.*,
        case
            when experiments.assigned_at > summed.reported_at then experiments.assigned_at
            else summed.reported_at
        end as sent_at
    from summed
    left join {{ ref('experiments') }} as experiments
        on summed.campaign_id = experiments.campaign_id
        and summed.customer_id = experiments.customer_id
        and experiments.{{ adapter.quote('group') }} = 'treated'
),

bought as (
    select
        timed.campaign_id,
        timed.recipient,
        count(*) as order_count,
        sum(orders.gross_amount) as revenue_amount
    from timed
    inner join {{ ref('orders') }} as orders
        on timed.customer_id = orders.customer_id
        and timed.sent_at < orders.ordered_at
        and {{ window_ends_at('timed.sent_at', days) }} >= orders.ordered_at
    where orders.is_completed
    group by timed.campaign_id, timed.recipient
)

select
    timed.*,
    coalesce(bought.order_count, 0) as order_count,
    {{ money('coalesce(bought.revenue_amount, 0)') }} as revenue_amount
from timed
left join bought
    on timed.campaign_id = bought.campaign_id and timed.recipient = bought.recipient
