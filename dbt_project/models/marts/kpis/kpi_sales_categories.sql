-- Entities of the Sales KPIs per product category: the part of a completed order that lies in a
-- category. Orders and customers do not add up over categories, so they are counted again.
{{ config(schema='intermediate') }}

select
    orders.ordered_on as on_date,
    orders.order_id,
    customers.customer_number,
    {{ or_unknown('products.category') }} as category,
    sum(order_lines.units) as units,
    sum(order_lines.line_amount) as line_amount
from {{ ref('orders') }} as orders
inner join {{ ref('order_lines') }} as order_lines on orders.order_id = order_lines.order_id
left join {{ ref('products') }} as products on order_lines.product_id = products.product_id
left join {{ ref('kpi_customers') }} as customers on orders.customer_id = customers.customer_id
where orders.is_completed
group by
    orders.ordered_on, orders.order_id, customers.customer_number,
    {{ or_unknown('products.category') }}
