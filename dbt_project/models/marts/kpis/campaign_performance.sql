-- What became of a campaign, as a whole and per segment. Recipients are in the segments of the day
-- they were written to, credited orders and redemptions in those of their own day. A segment's cost
-- is its share of the recipients. Every campaign has its row under `all`.
{% set days = var('measurement').campaign_window_days -%}
{% set counts = [
    'sent', 'delivered', 'opened', 'clicked', 'replied', 'unsubscribed', 'bounced',
] -%}
with segmented as (
    {{ with_segments(ref('campaign_outcomes')) }}
),

summed as (
    select
        campaign_id,
        segment_kind,
        segment_id,
        max(is_window_open) as is_window_open,
        {%- for count in counts %}
        sum({{ count }}_count) as {{ count }}_count,
        {%- endfor %}
        sum(order_count) as order_count,
        sum(revenue_amount) as revenue_amount,
        sum(attributed_order_count) as attributed_order_count,
        sum(attributed_revenue_amount) as attributed_revenue_amount,
        sum(redemption_count) as redemption_count
    from segmented
    group by campaign_id, segment_kind, segment_id
),

every as (
    select
        campaigns.campaign_id,
        campaigns.cost_amount as campaign_cost_amount,
        coalesce(summed.segment_kind, 'all') as segment_kind,
        summed.segment_id,
        coalesce(summed.is_window_open, 0) as is_window_open,
        {%- for count in counts %}
        cast(coalesce(summed.{{ count }}_count, 0) as integer) as {{ count }}_count,
        {%- endfor %}
        coalesce(summed.order_count, 0) as order_count,
        coalesce(summed.revenue_amount, 0) as revenue_amount,
        coalesce(summed.attributed_order_count, 0) as attributed_order_count,
        coalesce(summed.attributed_revenue_amount, 0) as attributed_revenue_amount,
        cast(coalesce(summed.redemption_count, 0) as integer) as redemption_count
    from {{ ref('campaigns') }} as campaigns
    left join summed on campaigns.campaign_id = summed.campaign_id
),

costed as (
    select
        every.*,
        case
            when every.segment_kind = 'all' then {{ money('every.campaign_cost_amount') }}
            else {{ money('every.campaign_cost_amount * every.sent_count '
                ~ '/ nullif(whole.sent_count, 0)') }}
        end as cost_amount
    from every
    left join every as whole
        on every.campaign_id = whole.campaign_id and whole.segment_kind = 'all'
)

select
    costed.campaign_id,
    costed.segment_kind,
    costed.segment_id,
    {%- for count in counts %}
    costed.{{ count }}_count,
    {%- endfor %}
    {{ days }} as window_days,
    cast(case when costed.is_window_open = 0 then costed.order_count end as integer)
        as order_count,
    {{ money('case when costed.is_window_open = 0 then costed.revenue_amount end') }}
        as revenue_amount,
    {{ money('costed.attributed_order_count') }} as attributed_order_count,
    {{ money('costed.attributed_revenue_amount') }} as attributed_revenue_amount,
    costed.redemption_count,
    costed.cost_amount,
    cast(
        (costed.attributed_revenue_amount - costed.cost_amount)
        / nullif(costed.cost_amount, 0) as double
    ) as return_rate,
    lifts.treated_count,
    lifts.holdout_count,
    lifts.lift_abs,
    lifts.lower_95,
    lifts.upper_95,
    lifts.incremental_conversions,
    lifts.is_trustworthy
from costed
left join {{ ref('lifts') }} as lifts
    on costed.campaign_id = lifts.campaign_id
    and coalesce(costed.segment_id, '') = coalesce(lifts.segment_id, '')
    and costed.segment_kind = lifts.segment_kind
    and lifts.metric = 'order'
    and lifts.window_days = {{ var('measurement').lift_window_days | max }}
