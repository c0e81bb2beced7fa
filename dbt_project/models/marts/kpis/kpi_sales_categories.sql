-- Entities of the Sales KPIs per product category: lines of completed orders. Orders and customers
-- do not add up over categories, so they are counted again from the lines.
{{ config(schema='intermediate') }}

select
    orders.ordered_on as on_date,
    orders.order_id,
    orders.customer_id,
    order_lines.units,
    order_lines.line_amount,
    products.category
from {{ ref('orders') }} as orders
inner join {{ ref('order_lines') }} as order_lines on orders.order_id = order_lines.order_id
left join {{ ref('products') }} as products on order_lines.product_id = products.product_id
where orders.is_completed
