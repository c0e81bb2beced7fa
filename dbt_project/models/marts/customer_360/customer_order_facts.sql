-- What completed orders say about a customer.
{{ config(schema='intermediate') }}

with completed as (
    select *, {{ business_hour('ordered_at') }} as ordered_hour
    from {{ ref('orders') }}
    where is_completed and customer_id is not null
),

totals as (
    select
        customer_id,
        count(*) as order_count,
        count(distinct ordered_on) as order_day_count,
        {{ money('sum(units)') }} as units,
        {{ money('sum(gross_amount)') }} as gross_revenue_amount,
        {{ money('sum(net_amount)') }} as net_revenue_amount,
        min(ordered_at) as first_order_at,
        max(ordered_at) as last_order_at,
        max(ordered_on) as last_order_on
    from completed
    group by customer_id
),

-- What is chosen most often is preferred; of two chosen equally often, the one chosen last.
habits as (
    {% for habit, column in {'channel': 'channel', 'store': 'store_id',
        'hour': 'cast(ordered_hour as varchar)'}.items() -%}
    select
        customer_id, '{{ habit }}' as habit, {{ column }} as choice, count(*) as weight,
        max(ordered_at) as last_at
    from completed
    where {{ column }} is not null
    group by customer_id, {{ column }}
    union all
    {% endfor -%}
    select
        completed.customer_id, 'category', products.category, sum(order_lines.units),
        max(completed.ordered_at)
    from completed
    inner join {{ ref('order_lines') }} as order_lines on completed.order_id = order_lines.order_id
    inner join {{ ref('products') }} as products on order_lines.product_id = products.product_id
    where products.category <> 'unknown'
    group by completed.customer_id, products.category
),

ranked_habits as (
    select
        *,
        row_number() over (
            partition by customer_id, habit
            order by weight desc, last_at desc nulls last, choice asc
        ) as choice_rank
    from habits
),

favourites as (
    select
        customer_id,
        max(case when habit = 'channel' then choice end) as preferred_channel,
        max(case when habit = 'store' then choice end) as preferred_store_id,
        max(case when habit = 'category' then choice end) as preferred_category,
        cast(max(case when habit = 'hour' then choice end) as integer) as preferred_hour
    from ranked_habits
    where choice_rank = 1
    group by customer_id
)

select
    totals.*,
    favourites.preferred_channel,
    favourites.preferred_store_id,
    favourites.preferred_category,
    favourites.preferred_hour
from totals
left join favourites on totals.customer_id = favourites.customer_id
