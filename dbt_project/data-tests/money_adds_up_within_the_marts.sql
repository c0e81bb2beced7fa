-- An order's amounts are those of its lines and refunds. (That every line has a rate is part of
-- the contract.)
with line_totals as (
    select order_id, sum(line_amount) as line_amount from {{ ref('order_lines') }}
    group by order_id
),

refund_totals as (
    select order_id, sum(refund_amount) as refund_amount from {{ ref('refunds') }}
    group by order_id
)

select orders.order_id
from {{ ref('orders') }} as orders
left join line_totals on orders.order_id = line_totals.order_id
left join refund_totals on orders.order_id = refund_totals.order_id
where orders.gross_amount <> coalesce(line_totals.line_amount, 0)
    or orders.refund_amount <> coalesce(refund_totals.refund_amount, 0)
    or orders.net_amount <> orders.gross_amount - orders.refund_amount
