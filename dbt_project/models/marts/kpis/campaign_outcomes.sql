-- Everything a campaign is judged by, one row per recipient, per order it gets credit for (last
-- touch) and per redemption of its offers or of the codes it carried.
{{ config(schema='intermediate') }}
{% set days = var('measurement').campaign_window_days -%}
{% set measures = [
    'sent_count', 'delivered_count', 'opened_count', 'clicked_count', 'replied_count',
    'unsubscribed_count', 'bounced_count', 'order_count', 'revenue_amount',
    'attributed_order_count', 'attributed_revenue_amount', 'redemption_count',
] -%}
{% set known = {
    'recipients': {
        'sent_count': '1', 'delivered_count': 'is_delivered', 'opened_count': 'is_opened',
        'clicked_count': 'is_clicked', 'replied_count': 'is_replied',
        'unsubscribed_count': 'is_unsubscribed',
        'bounced_count': 'is_bounced', 'order_count': 'order_count',
        'revenue_amount': 'revenue_amount',
    },
    'credits': {
        'attributed_order_count': 'attribution.credit',
        'attributed_revenue_amount': 'attribution.credited_amount',
    },
    'redemptions': {'redemption_count': '1'},
} -%}
select
    campaign_id,
    customer_id,
    {{ business_date('sent_at') }} as on_date,
    case when {{ is_window_over('sent_at', days) }} then 0 else 1 end as is_window_open
    {%- for measure in measures -%}
    , cast({{ known.recipients.get(measure, '0') }} as decimal(18, 4)) as {{ measure }}
    {%- endfor %}
from {{ ref('campaign_recipients') }}
union all
select
    attribution.campaign_id,
    orders.customer_id,
    orders.ordered_on,
    0
    {%- for measure in measures -%}
    , cast({{ known.credits.get(measure, '0') }} as decimal(18, 4))
    {%- endfor %}
from {{ ref('attribution') }} as attribution
inner join {{ ref('orders') }} as orders on attribution.order_id = orders.order_id
where attribution.model = 'last_touch' and attribution.campaign_id is not null
union all
select
    redemptions.campaign_id,
    redemptions.customer_id,
    {{ business_date('redemptions.redeemed_at') }},
    0
    {%- for measure in measures -%}
    , cast({{ known.redemptions.get(measure, '0') }} as decimal(18, 4))
    {%- endfor %}
from {{ ref('coupon_redemptions') }} as redemptions
where redemptions.campaign_id is not null
