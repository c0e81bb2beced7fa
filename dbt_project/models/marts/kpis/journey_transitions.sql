-- From which stage of the journey, on which channel, people go on to which stage; where threads end
-- without a purchase is where they drop off. Touches in a row of one stage on one channel are one
-- stay, which its last touch stands for. `entry_source` is what began the thread: a visit's traffic
-- source, else the channel. A thread's last stay is `open` until the pause that ends a thread is
-- over, `done` when it holds a purchase, else `dropped`.
with threads as (
    select
        thread_id,
        min(step_number) as first_number,
        max(step_number) as last_number,
        max(case when stage = 'purchase' then 1 else 0 end) as has_purchase
    from {{ ref('journey_steps') }}
    group by thread_id
),

begun as (
    select
        threads.thread_id,
        threads.last_number,
        threads.has_purchase,
        coalesce(sessions.traffic_source, firsts.channel) as entry_source
    from threads
    inner join {{ ref('journey_steps') }} as firsts
        on threads.thread_id = firsts.thread_id
        and threads.first_number = firsts.step_number
    left join {{ ref('sessions') }} as sessions
        on threads.thread_id = 'visit:' || sessions.session_id
),

-- The steps of a customer are numbered without a gap, and those of a thread follow one another.
steps as (
    select
        steps.customer_id,
        steps.stage,
        steps.channel,
        steps.occurred_at,
        begun.entry_source,
        begun.has_purchase,
        case when steps.step_number < begun.last_number then steps.step_number + 1 end
            as next_number
    from {{ ref('journey_steps') }} as steps
    inner join begun on steps.thread_id = begun.thread_id
),

moves as (
    select
        steps.entry_source,
        steps.stage as from_stage,
        steps.channel,
        case
            when following.stage is not null then following.stage
            when steps.has_purchase = 1 then 'done'
            when {{ is_window_over('steps.occurred_at', threshold('journey_gap_days')) }}
                then 'dropped'
            else 'open'
        end as to_stage,
        cast(
            {{ seconds_between('steps.occurred_at', 'following.occurred_at') }} / 3600.0
            as decimal(18, 4)
        ) as hours
    from steps
    left join {{ ref('journey_steps') }} as following
        on steps.customer_id = following.customer_id
        and steps.next_number = following.step_number
    where following.stage is null
        or following.stage <> steps.stage
        or following.channel <> steps.channel
),

counted as (
    select
        entry_source,
        from_stage,
        channel,
        to_stage,
        count(*) as transition_count,
        cast(percentile_cont(0.5) within group (order by hours) as decimal(18, 4)) as median_hours
    from moves
    group by entry_source, from_stage, channel, to_stage
),

shared as (
    select
        *,
        sum(case when to_stage <> 'open' then transition_count else 0 end)
            over (partition by entry_source, from_stage, channel) as decided_count
    from counted
)

select
    entry_source,
    from_stage,
    channel,
    to_stage,
    transition_count,
    median_hours,
    cast(
        case when to_stage <> 'open' then transition_count end * 1.0 / nullif(decided_count, 0)
        as decimal(28, 8)
    ) as transition_share,
    to_stage = 'dropped' as is_drop_off
from shared
