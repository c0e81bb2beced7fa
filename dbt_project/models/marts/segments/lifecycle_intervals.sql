-- The stage of every buyer on every day since the first order, as intervals [valid_from, valid_to).
-- Between two order days a stage can only change when the gap passes P40 or P80, so each order day
-- opens at most three intervals. Thresholds are today's, also for past days.
{{ config(schema='intermediate') }}

with order_days as (
    select
        customer_id,
        ordered_on,
        row_number() over (partition by customer_id order by ordered_on asc) as order_days,
        lead(ordered_on) over (partition by customer_id order by ordered_on asc) as next_ordered_on
    from (
        select distinct customer_id, ordered_on
        from {{ ref('orders') }}
        where is_completed and customer_id is not null
    ) as days
),

steps as (
    select 0 as gap_days
    union
    select cast(floor(p40_days) as integer) + 1 from {{ ref('lifecycle_thresholds') }}
    where p40_days is not null
    union
    select cast(floor(p80_days) as integer) + 1 from {{ ref('lifecycle_thresholds') }}
    where p80_days is not null
),

staged as (
    select
        order_days.customer_id,
        {{ days_after('order_days.ordered_on', 'steps.gap_days') }} as valid_from,
        {{ lifecycle_stage('order_days.order_days', 'steps.gap_days',
            'lifecycle_thresholds.p40_days', 'lifecycle_thresholds.p80_days') }} as stage,
        order_days.next_ordered_on
    from order_days
    cross join steps
    cross join {{ ref('lifecycle_thresholds') }} as lifecycle_thresholds
),

reached as (
    select customer_id, stage, valid_from
    from staged
    where (next_ordered_on is null or valid_from < next_ordered_on)
        and valid_from <= {{ as_of_on() }}
),

changes as (
    select
        *,
        lag(stage) over (partition by customer_id order by valid_from asc) as previous_stage
    from reached
)

select
    customer_id,
    stage,
    previous_stage,
    valid_from,
    lead(valid_from) over (partition by customer_id order by valid_from asc) as valid_to
from changes
where previous_stage is null or previous_stage <> stage
