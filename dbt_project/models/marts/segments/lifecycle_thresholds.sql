-- P40 and P80 of the gaps between consecutive order days of this business, one row.
{{ config(schema='intermediate') }}

with order_days as (
    select distinct customer_id, ordered_on
    from {{ ref('orders') }}
    where is_completed and customer_id is not null
),

gaps as (
    select
        {{ days_between(
            'lag(ordered_on) over (partition by customer_id order by ordered_on asc)', 'ordered_on'
        ) }} as gap_days
    from order_days
)

select
    count(gap_days) as gap_count,
    cast(percentile_cont(0.4) within group (order by gap_days) as decimal(18, 4)) as p40_days,
    cast(percentile_cont(0.8) within group (order by gap_days) as decimal(18, 4)) as p80_days
from gaps
where gap_days is not null
