-- To the last dong: what the accepted lines say, what the lines mart says, what the orders say.
with accepted as (
    select
        coalesce(line_amount, units * unit_price - coalesce(discount, 0)) as amount
    from {{ entity_rows_once('order_lines', 'order_line_id') }} as lines
    where order_id is not null
),

totals as (
    select
        (select coalesce(sum(amount), 0) from accepted) as accepted_amount,
        (select coalesce(sum(original_line_amount), 0) from {{ ref('order_lines') }})
            as line_amount,
        (select coalesce(sum(original_gross_amount), 0) from {{ ref('orders') }}) as order_amount
)

select *
from totals
where accepted_amount <> line_amount or line_amount <> order_amount
