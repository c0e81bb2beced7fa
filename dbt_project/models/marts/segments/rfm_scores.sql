-- Recency, frequency and monetary in fifths over customers with at least one completed order.
{{ config(schema='intermediate') }}

with scored as (
    select
        customer_id,
        {{ quintile_score('last_order_on') }} as r_score,
        {{ quintile_score('order_day_count') }} as f_score,
        {{ quintile_score('net_revenue_amount') }} as m_score
    from {{ ref('customer_order_facts') }}
)

select
    scored.customer_id,
    scored.r_score,
    scored.f_score,
    scored.m_score,
    rfm_grid.rfm_segment
from scored
inner join {{ ref('rfm_grid') }} as rfm_grid
    on scored.r_score = rfm_grid.r_score
    and cast(floor((scored.f_score + scored.m_score + 1) / 2.0) as integer) = rfm_grid.fm_score
