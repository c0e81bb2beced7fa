-- Under every model each completed order is credited once and exactly: its credit is 1, its revenue
-- its own, and no other order is there.
with models as (
    {% for model in attribution_models() -%}
    select '{{ model }}' as model
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

completed as (
    select orders.order_id, orders.gross_amount, models.model
    from {{ ref('orders') }} as orders
    cross join models
    where orders.is_completed
),

credited as (
    select order_id, model, sum(credit) as credit, sum(credited_amount) as credited_amount
    from {{ ref('attribution') }}
    group by order_id, model
)

select
    coalesce(completed.order_id, credited.order_id) as order_id,
    coalesce(completed.model, credited.model) as model
from completed
full outer join credited
    on completed.order_id = credited.order_id and completed.model = credited.model
where completed.order_id is null
    or credited.order_id is null
    or credited.credit <> 1
    or credited.credited_amount <> completed.gross_amount
