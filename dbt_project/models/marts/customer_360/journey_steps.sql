-- The road of a customer over all channels, touch by touch, in threads. A thread ends with a pause
-- of more than `journey_gap_days`, or when the customer shops again after a purchase; care after
-- a purchase belongs to it. Touches without a pause of `session_minutes` are one sitting, which no
-- purchase cuts. Sends and deliveries are no step of the customer's.
with touches as (
    select
        customer_id,
        interaction_id,
        channel,
        occurred_at,
        case
            when kind in ('visit', 'open', 'click') then 'awareness'
            when kind in ('view', 'search', 'advice') then 'consideration'
            -- Who asks about no order asks before one.
            when kind in ('message', 'call', 'reply') and content_class = 'question'
                and order_id is null then 'consideration'
            when kind in ('cart', 'appointment') then 'intent'
            when kind = 'order' then 'purchase'
            when kind in ('review', 'referral') then 'advocacy'
            else 'service'
        end as stage
    from {{ ref('interactions') }}
    where customer_id is not null and initiated_by = 'customer' and occurred_at is not null
),

steps as (
    select
        *,
        row_number() over in_order as step_number,
        lag(occurred_at) over in_order as previous_at
    from touches
    window in_order as (partition by customer_id order by occurred_at asc, interaction_id asc)
),

seated as (
    select
        *,
        sum(
            case
                when occurred_at <= {{ plus_minutes('previous_at', threshold('session_minutes')) }}
                    then 0
                else 1
            end
        ) over (
            partition by customer_id order by step_number asc
            rows between unbounded preceding and current row
        ) as sitting_number
    from steps
),

sittings as (
    select
        customer_id,
        sitting_number,
        min(step_number) as first_step_number,
        min(occurred_at) as began_at,
        max(occurred_at) as ended_at,
        max(case when stage = 'purchase' then 1 else 0 end) as purchases,
        max(case when stage in ('service', 'advocacy') then 0 else 1 end) as is_shopping
    from seated
    group by customer_id, sitting_number
),

counted as (
    select
        *,
        lag(ended_at) over (partition by customer_id order by sitting_number asc) as previous_at,
        coalesce(sum(purchases) over (
            partition by customer_id order by sitting_number asc
            rows between unbounded preceding and 1 preceding
        ), 0) as purchases_before
    from sittings
),

paced as (
    select
        *,
        max(case when is_shopping = 1 then purchases_before end) over (
            partition by customer_id order by sitting_number asc
            rows between unbounded preceding and 1 preceding
        ) as last_purchases_before
    from counted
),

starts as (
    select
        *,
        case
            when previous_at is null then 1
            when began_at
                > {{ plus_minutes('previous_at', threshold('journey_gap_days') * 1440) }} then 1
            when is_shopping = 1 and purchases_before > last_purchases_before then 1
            else 0
        end as is_start
    from paced
),

threads as (
    select
        customer_id,
        sitting_number,
        first_step_number,
        sum(is_start) over (
            partition by customer_id order by sitting_number asc
            rows between unbounded preceding and current row
        ) as thread_number
    from starts
),

named as (
    select
        threads.customer_id,
        threads.sitting_number,
        first_value(seated.interaction_id) over (
            partition by threads.customer_id, threads.thread_number
            order by threads.sitting_number asc
            rows between unbounded preceding and current row
        ) as thread_id
    from threads
    inner join seated
        on threads.customer_id = seated.customer_id
        and threads.first_step_number = seated.step_number
)

select
    seated.customer_id,
    cast(seated.step_number as integer) as step_number,
    seated.interaction_id,
    seated.stage,
    cast(
        {{ seconds_between('seated.previous_at', 'seated.occurred_at') }} / 3600.0
        as decimal(18, 4)
    ) as hours_since_previous,
    named.thread_id,
    seated.channel,
    seated.occurred_at
from seated
inner join named
    on seated.customer_id = named.customer_id
    and seated.sitting_number = named.sitting_number
