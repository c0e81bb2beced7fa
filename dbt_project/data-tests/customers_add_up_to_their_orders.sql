-- What the customers' rows say together is what the completed orders of known people say.
with of_customers as (
    select
        sum(order_count) as orders,
        sum(units) as units,
        sum(gross_revenue_amount) as gross_amount,
        sum(net_revenue_amount) as net_amount
    from {{ ref('customers') }}
),

of_orders as (
    select
        count(*) as orders,
        coalesce(sum(units), 0) as units,
        coalesce(sum(gross_amount), 0) as gross_amount,
        coalesce(sum(net_amount), 0) as net_amount
    from {{ ref('orders') }}
    where is_completed and customer_id is not null
)

select of_customers.*, of_orders.*
from of_customers
cross join of_orders
where coalesce(of_customers.orders, 0) <> of_orders.orders
    or coalesce(of_customers.units, 0) <> of_orders.units
    or coalesce(of_customers.gross_amount, 0) <> of_orders.gross_amount
    or coalesce(of_customers.net_amount, 0) <> of_orders.net_amount
