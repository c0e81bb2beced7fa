-- Entities of the e-mail KPIs: a campaign's recipients, each once, on the day it was sent to them.
-- A tool that tells of no delivery at all of a campaign has delivered what did not come back.
{{ config(schema='intermediate') }}

with recipients as (
    select
        source,
        campaign_id,
        min(customer_id) as customer_id,
        coalesce(min(case when kind = 'sent' then occurred_at end), min(occurred_at)) as sent_at,
    {% for kind in ['sent', 'delivered', 'bounce', 'open', 'click', 'unsubscribe'] -%}
    max(case when kind = '{{ kind }}' then 1 else 0 end) as {{ kind }}
    {{- ',' if not loop.last }}
    {% endfor %}
    from {{ ref('int_email_events') }}
    group by source, campaign_id, coalesce(member_id, email_event_id)
),

told as (
    select source, campaign_id
    from recipients
    group by source, campaign_id
    having max(delivered) = 1
),

judged as (
    select
        recipients.*,
        case when told.source is null then 1 - recipients.bounce else recipients.delivered end
            as is_delivered
    from recipients
    left join told
        on recipients.source = told.source
        and recipients.campaign_id is not distinct from told.campaign_id
)

select
    {{ business_date('coalesce(judged.sent_at, campaigns.started_at)') }} as on_date,
    -- What was delivered or came back was sent, also where the platform does not say so.
    greatest(judged.sent, judged.is_delivered, judged.bounce) as is_sent,
    judged.is_delivered,
    judged.bounce as is_bounced,
    judged.is_delivered * judged.open as is_opened,
    judged.is_delivered * judged.click as is_clicked,
    judged.is_delivered * judged.unsubscribe as is_unsubscribed,
    judged.campaign_id as campaign,
    customers.province,
    customers.country,
    {{ customer_slices() }}
from judged
left join {{ ref('campaigns') }} as campaigns on judged.campaign_id = campaigns.campaign_id
left join {{ ref('kpi_customers') }} as customers on judged.customer_id = customers.customer_id
