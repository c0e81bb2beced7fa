-- Entities of the Carts KPIs: carts with an item whose fate is decided, on the day of their last
-- activity. `assigned_group` is the experiment a cart's reminder was drawn in, if any.
{{ config(schema='intermediate') }}

select
    {{ business_date('carts.last_activity_at') }} as on_date,
    carts.cart_id,
    carts.customer_id,
    carts.is_abandoned,
    carts.is_reminded,
    carts.is_recovered,
    carts.assigned_group,
    {{ money('case when carts.is_recovered then orders.gross_amount else 0 end') }}
        as recovered_amount,
    case when carts.customer_id is null then 'unknown' else 'known' end as contact,
    carts.reminder_campaign_id as campaign,
    customers.generation,
    customers.age_band,
    customers.gender,
    customers.province
from {{ ref('carts') }} as carts
left join {{ ref('orders') }} as orders on carts.recovered_order_id = orders.order_id
left join {{ ref('customers') }} as customers on carts.customer_id = customers.customer_id
where carts.item_count > 0 and carts.is_abandoned is not null
