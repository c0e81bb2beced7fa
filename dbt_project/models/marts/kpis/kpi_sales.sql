-- Entities of the Sales KPIs: completed orders on the day they were placed, refunds of completed
-- orders on the day they were paid out and complaints on the day they were made, both with the
-- slices of the order they name. Traffic source and campaign are the session's that ordered.
{{ config(schema='intermediate') }}

with sliced as (
    select
        orders.order_id,
        orders.is_completed,
        orders.ordered_on,
        orders.units,
        orders.gross_amount,
        orders.refund_amount,
        orders.channel,
        orders.store_id as store,
        orders.province,
        orders.country,
        sessions.traffic_source,
        sessions.campaign,
        {{ customer_slices() }}
    from {{ ref('orders') }} as orders
    left join {{ ref('kpi_customers') }} as customers on orders.customer_id = customers.customer_id
    left join {{ ref('int_order_sessions') }} as order_sessions
        on orders.order_id = order_sessions.order_id
    left join {{ ref('sessions') }} as sessions on order_sessions.session_id = sessions.session_id
),

complaints as (
    select
        contacts.on_date,
        orders.channel,
        orders.store_id as store,
        orders.province,
        orders.country,
        {{ customer_slices() }}
    from {{ ref('kpi_service') }} as contacts
    left join {{ ref('kpi_customers') }} as customers
        on contacts.customer_number = customers.customer_number
    left join {{ ref('orders') }} as orders on contacts.order_id = orders.order_id
    where contacts.is_complaint = 1
)

select
    ordered_on as on_date,
    1 as orders,
    0 as complaints,
    units,
    gross_amount,
    refund_amount as refund_by_order_day,
    {{ money('0') }} as refund_by_refund_day,
    channel, store, province, country, traffic_source, campaign,
    customer_number, generation, age_band, gender, contact
from sliced
where is_completed
union all
select
    refunds.refunded_on as on_date,
    0 as orders,
    0 as complaints,
    {{ money('0') }} as units,
    {{ money('0') }} as gross_amount,
    {{ money('0') }} as refund_by_order_day,
    refunds.refund_amount as refund_by_refund_day,
    sliced.channel, sliced.store, sliced.province, sliced.country,
    sliced.traffic_source, sliced.campaign,
    sliced.customer_number, sliced.generation, sliced.age_band, sliced.gender, sliced.contact
from {{ ref('refunds') }} as refunds
inner join sliced on refunds.order_id = sliced.order_id
where sliced.is_completed and refunds.refunded_on is not null
union all
select
    on_date,
    0 as orders,
    1 as complaints,
    {{ money('0') }} as units,
    {{ money('0') }} as gross_amount,
    {{ money('0') }} as refund_by_order_day,
    {{ money('0') }} as refund_by_refund_day,
    channel, store, province, country, null as traffic_source, null as campaign,
    customer_number, generation, age_band, gender, contact
from complaints
