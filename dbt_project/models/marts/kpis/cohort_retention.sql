-- Of the customers whose first order fell in a month, who ordered again so many months later.
with order_months as (
    select distinct
        customer_id,
        cast({{ dbt.date_trunc('month', 'ordered_on') }} as date) as ordered_month
    from {{ ref('orders') }}
    where is_completed and customer_id is not null
),

cohorts as (
    select customer_id, min(ordered_month) as cohort_month from order_months
    group by customer_id
),

sizes as (
    select cohort_month, count(*) as cohort_size from cohorts
    group by cohort_month
),

months as (
    select distinct period_start, period_end from {{ ref('calendar') }}
    where grain = 'month'
),

active as (
    select cohorts.cohort_month, order_months.ordered_month, count(*) as active_count
    from cohorts
    inner join order_months on cohorts.customer_id = order_months.customer_id
    group by cohorts.cohort_month, order_months.ordered_month
),

grid as (
    select
        sizes.cohort_month,
        months.period_start,
        cast({{ dbt.datediff('sizes.cohort_month', 'months.period_start', 'month') }} as integer)
            as months_since_first_order,
        sizes.cohort_size,
        case
            when months.period_end < {{ as_of_on() }} then coalesce(active.active_count, 0)
        end as active_count
    from sizes
    inner join months on sizes.cohort_month <= months.period_start
    left join active
        on sizes.cohort_month = active.cohort_month and months.period_start = active.ordered_month
)

select
    cohort_month,
    months_since_first_order,
    cast(cohort_size as integer) as cohort_size,
    cast(active_count as integer) as active_count,
    cast(active_count * 1.0 / cohort_size as decimal(28, 8)) as retention_rate
from grid
