-- Completed orders and gross revenue of each complete day, in total and per channel, from the first
-- sale of the slice on; days without a sale are 0.
with sales as (
    {% for slice, value in {'all': "'all'", 'channel': 'channel'}.items() -%}
    select
        '{{ slice }}' as slice,
        {{ value }} as slice_value,
        ordered_on,
        sum(gross_amount) as gross_amount,
        count(*) as order_count
    from {{ ref('orders') }}
    where is_completed and ordered_on < {{ as_of_on() }}
    group by {{ value ~ ', ' if slice != 'all' }}ordered_on
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

slices as (
    select slice, slice_value, min(ordered_on) as first_on from sales
    group by slice, slice_value
)

select
    slices.slice,
    slices.slice_value,
    days.on_date,
    {{ money('coalesce(sales.gross_amount, 0)') }} as gross_amount,
    cast(coalesce(sales.order_count, 0) as integer) as order_count
from slices
inner join {{ ref('calendar') }} as days
    on days.grain = 'day' and slices.first_on <= days.on_date and days.on_date < {{ as_of_on() }}
left join sales
    on slices.slice = sales.slice
    and slices.slice_value = sales.slice_value
    and days.on_date = sales.ordered_on
