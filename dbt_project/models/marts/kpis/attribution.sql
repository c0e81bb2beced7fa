-- Credit of a completed order per model and touch within `attribution.window_days` before it.
-- Credit and revenue are differences of rounded running sums, so that they add up exactly.
{% set days = var('attribution').window_days -%}
with completed as (
    select order_id, customer_id, ordered_at, ordered_on, gross_amount
    from {{ ref('orders') }}
    where is_completed
),

paths as (
    select
        completed.order_id,
        completed.ordered_on,
        completed.gross_amount,
        touches.interaction_id,
        touches.touchpoint,
        touches.campaign_id,
        row_number() over (
            partition by completed.order_id
            order by touches.touched_at asc, touches.interaction_id asc
        ) as touch_number,
        count(*) over (partition by completed.order_id) as touch_count
    from completed
    inner join {{ ref('attribution_touches') }} as touches
        on completed.customer_id = touches.customer_id
        and completed.ordered_at >= touches.touched_at
        and {{ plus_minutes('completed.ordered_at', -1440 * days) }} <= touches.touched_at
),

first_touches as (
    select order_id from paths
    where touch_number = 1
),

touched as (
    select * from paths
    union all
    -- Nothing seen before it: the order is its own witness.
    select
        completed.order_id, completed.ordered_on, completed.gross_amount, null, 'direct', null,
        1, 1
    from completed
    left join first_touches on completed.order_id = first_touches.order_id
    where first_touches.order_id is null
),

-- Credit depends on nothing but the place in the path and the amount, and both are few.
places as (
    select distinct gross_amount, touch_number, touch_count from touched
),

shared as (
    {% for model, is_credited in attribution_models().items() -%}
    select
        places.*,
        '{{ model }}' as model,
        {{ share_of_first('(touch_number - 1)', model) }} as share_before,
        {{ share_of_first('touch_number', model) }} as share_with
    from places
    where {{ is_credited }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

credited as (
    select
        gross_amount,
        touch_number,
        touch_count,
        model,
        cast(share_with - share_before as decimal(18, 12)) as credit,
        {{ money(share_of_amount('share_with') ~ ' - ' ~ share_of_amount('share_before')) }}
            as credited_amount
    from shared
)

select
    touched.order_id,
    touched.interaction_id,
    credited.model,
    credited.credit,
    credited.credited_amount,
    touched.touchpoint,
    touched.campaign_id,
    touched.ordered_on,
    cast(touched.touch_number as integer) as touch_number,
    cast(touched.touch_count as integer) as touch_count
from touched
inner join credited
    on touched.gross_amount = credited.gross_amount
    and touched.touch_number = credited.touch_number
    and touched.touch_count = credited.touch_count
