-- Entities of the Carts KPIs: carts with an item whose fate is decided, on the day of their last
-- activity. `assigned_group` is the experiment a cart's reminder was drawn in, if any; the traffic
-- source is that of the session the cart was begun in.
{{ config(schema='intermediate') }}

with first_touches as (
    select
        cart_id, session_id,
        row_number() over (partition by cart_id order by occurred_at asc nulls last, message_id asc)
            as touch_rank
    from {{ ref('int_web_events') }}
    where cart_id is not null and kind = 'cart'
)

select
    {{ business_date('carts.last_activity_at') }} as on_date,
    carts.cart_id,
    carts.is_abandoned,
    carts.is_reminded,
    carts.is_recovered,
    carts.assigned_group,
    {{ money('case when carts.is_recovered then orders.gross_amount else 0 end') }}
        as recovered_amount,
    carts.reminder_campaign_id as campaign,
    sessions.traffic_source,
    customers.province,
    customers.country,
    {{ customer_slices() }}
from {{ ref('carts') }} as carts
left join {{ ref('orders') }} as orders on carts.recovered_order_id = orders.order_id
left join {{ ref('kpi_customers') }} as customers on carts.customer_id = customers.customer_id
left join first_touches on carts.cart_id = first_touches.cart_id and first_touches.touch_rank = 1
left join {{ ref('sessions') }} as sessions on first_touches.session_id = sessions.session_id
where carts.item_count > 0 and carts.is_abandoned is not null
