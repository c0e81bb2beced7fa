-- How far the sessions of a day came on the web: each step counts sessions that reached it or a
-- later one, so the funnel only narrows.
{% set steps = ['visit', 'product_view', 'cart', 'checkout', 'order'] %}
with reached as (
    select
        session_id,
        max(case event
            when 'Product Viewed' then 2
            when 'Product Added' then 3
            when 'Checkout Started' then 4
            when 'Order Completed' then 5
            else 1
        end) as deepest_step
    from {{ ref('int_web_events') }}
    where session_id is not null
    group by session_id
),

days as (
    select
        {{ business_date('sessions.started_at') }} as period_start,
        sessions.traffic_source,
        greatest(coalesce(reached.deepest_step, 1), case when sessions.has_order then 5 else 1 end)
            as deepest_step
    from {{ ref('sessions') }} as sessions
    left join reached on sessions.session_id = reached.session_id
)

{% for step in steps -%}
{% set session_count = 'count(case when deepest_step >= ' ~ loop.index ~ ' then 1 end)' -%}
{% set dropped_count = 'null' if loop.last
    else 'count(case when deepest_step = ' ~ loop.index ~ ' then 1 end)' -%}
select
    'web' as funnel,
    'day' as grain,
    period_start,
    traffic_source,
    {{ loop.index }} as step_number,
    '{{ step }}' as step,
    cast({{ session_count }} as integer) as session_count,
    cast({{ dropped_count }} as integer) as dropped_count,
    cast({{ dropped_count }} * 1.0 / nullif({{ session_count }}, 0) as decimal(28, 8))
        as drop_off_rate
from days
group by period_start, traffic_source
{{ 'union all' if not loop.last }}
{% endfor %}
