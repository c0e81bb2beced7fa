-- To the last dong: what the accepted lines say, what the lines mart says, what the orders say.
with accepted as (
    select coalesce(sum(coalesce(
        line_amount, units * unit_price - coalesce(discount, 0)
    )), 0) as amount
    from {{ ref('stg_entities__order_lines') }}
    where order_id is not null
),

lines as (
    select coalesce(sum(original_line_amount), 0) as amount from {{ ref('order_lines') }}
),

orders as (
    select coalesce(sum(original_gross_amount), 0) as amount from {{ ref('orders') }}
)

select accepted.amount as accepted_amount, lines.amount as line_amount, orders.amount as order_amount
from accepted
cross join lines
cross join orders
where accepted.amount <> lines.amount or lines.amount <> orders.amount
