-- Entities of the KPIs of what the business sends: outbound messages and calls on their day. Of a
-- conversation that the business began the first is the contact; what answers a customer is none.
{{ config(schema='intermediate') }}

with touched as (
    select
        touches.*,
        coalesce(conversations.initiated_by, '') = 'customer' as is_answer,
        row_number() over (
            partition by coalesce(touches.conversation_id, touches.interaction_id)
            order by touches.occurred_at asc nulls last, touches.interaction_id asc
        ) as contact_rank,
        {{ is_sales_call('touches') }} as is_sales_call
    from {{ ref('interactions') }} as touches
    left join {{ ref('conversations') }} as conversations
        on touches.conversation_id = conversations.conversation_id
    where touches.direction = 'outbound' and touches.kind in ('message', 'call')
),

outbound as (
    select
        *,
        case when contact_rank = 1 and not is_answer then 1 else 0 end as is_contact
    from touched
),

-- A campaign's recipients are counted once, by the first contact; unknown ones each.
recipients as (
    select
        interaction_id,
        row_number() over (
            partition by campaign_id, coalesce(customer_id, interaction_id)
            order by occurred_at asc nulls last, interaction_id asc
        ) as recipient_rank
    from outbound
    where campaign_id is not null and is_contact = 1
),

-- A refusal takes something back only where it had been granted; a list's own mark of a member is
-- told by the unsubscribe, or is a dead address.
words as (
    select
        customer_id, occurred_at, is_granted,
        lag(is_granted) over (
            partition by customer_id, channel, purpose
            order by occurred_at asc, is_granted desc, source asc, evidence_id asc
        ) as was_granted
    from {{ ref('int_consent_events') }}
    where customer_id is not null and occurred_at is not null
        and evidence_id not like 'member:%' and evidence_id not like 'unsubscribe:%'
),

annoyances as (
    select customers.customer_number, words.occurred_at
    from words
    inner join {{ ref('kpi_customers') }} as customers on words.customer_id = customers.customer_id
    where not words.is_granted and words.was_granted
    union
    select customers.customer_number, events.occurred_at
    from {{ ref('int_email_events') }} as events
    inner join {{ ref('kpi_customers') }} as customers on events.customer_id = customers.customer_id
    where events.kind = 'unsubscribe'
    union
    select customer_number, opened_at from {{ ref('kpi_service') }}
    where is_complaint = 1 and customer_number is not null
),

unwanted as (
    select distinct outbound.interaction_id
    from outbound
    inner join {{ ref('kpi_customers') }} as customers
        on outbound.customer_id = customers.customer_id
    inner join annoyances
        on customers.customer_number = annoyances.customer_number
        and outbound.occurred_at <= annoyances.occurred_at
        and {{ plus_minutes('outbound.occurred_at', 3 * 1440) }} >= annoyances.occurred_at
    where outbound.is_contact = 1
),

converted as (
    select distinct outbound.interaction_id
    from outbound
    inner join {{ ref('orders') }} as orders
        on outbound.customer_id = orders.customer_id
        and orders.is_completed
        and outbound.occurred_at <= orders.ordered_at
        and {{ plus_minutes('outbound.occurred_at', 7 * 1440) }} >= orders.ordered_at
    where outbound.is_sales_call and outbound.is_answered
)

select
    {{ business_date('outbound.occurred_at') }} as on_date,
    outbound.is_contact,
    case when unwanted.interaction_id is null then 0 else 1 end as is_unwanted,
    case when recipients.recipient_rank = 1 then 1 else 0 end as is_recipient,
    case
        when customers.customer_number is not null
            and coalesce(customers.first_order_at >= outbound.occurred_at, true) then 1
        else 0
    end as is_new,
    case when outbound.is_sales_call then 1 else 0 end as is_sales_call,
    case when converted.interaction_id is null then 0 else 1 end as is_converted,
    case when customers.customer_number is null then 0 else coalesce(outbound.cost_amount, 0) end
        as cost_amount,
    outbound.channel,
    outbound.campaign_id as campaign,
    outbound.purpose,
    customers.province,
    customers.country,
    {{ customer_slices() }}
from outbound
left join unwanted on outbound.interaction_id = unwanted.interaction_id
left join converted on outbound.interaction_id = converted.interaction_id
left join recipients on outbound.interaction_id = recipients.interaction_id
left join {{ ref('kpi_customers') }} as customers on outbound.customer_id = customers.customer_id
