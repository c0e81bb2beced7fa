-- Entities of the e-mail KPIs: a campaign's recipients, each once, on the day it was sent to them.
{{ config(schema='intermediate') }}

with recipients as (
    select
        campaign_id,
        min(customer_id) as customer_id,
        coalesce(min(case when kind = 'sent' then occurred_at end), min(occurred_at)) as sent_at,
    {% for kind in ['sent', 'delivered', 'bounce', 'open', 'click', 'unsubscribe'] -%}
    max(case when kind = '{{ kind }}' then 1 else 0 end) as {{ kind }}
    {{- ',' if not loop.last }}
    {% endfor %}
    from {{ ref('int_email_events') }}
    group by source, campaign_id, coalesce(member_id, email_event_id)
)

select
    {{ business_date('recipients.sent_at') }} as on_date,
    -- What was delivered or came back was sent, also where the platform does not say so.
    greatest(recipients.sent, recipients.delivered, recipients.bounce) as is_sent,
    recipients.delivered as is_delivered,
    recipients.bounce as is_bounced,
    recipients.delivered * recipients.open as is_opened,
    recipients.delivered * recipients.click as is_clicked,
    recipients.delivered * recipients.unsubscribe as is_unsubscribed,
    recipients.campaign_id as campaign,
    customers.province,
    customers.country,
    {{ customer_slices() }}
from recipients
left join {{ ref('kpi_customers') }} as customers on recipients.customer_id = customers.customer_id
