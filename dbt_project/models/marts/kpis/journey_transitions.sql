-- From which stage of the journey, on which channel, people go on to which stage; where threads end
-- without a purchase is where they drop off. Touches in a row of one stage on one channel are one
-- stay, which its last touch stands for. `entry_source` is what began the thread: a visit's traffic
-- source, else the channel. A thread's last stay is `open` until the pause that ends a thread is
-- over, `done` when it holds a purchase, else `dropped`.
with steps as (
    select
        thread_id,
        stage,
        channel,
        occurred_at,
        lead(stage) over in_thread as next_stage,
        lead(channel) over in_thread as next_channel,
        lead(occurred_at) over in_thread as next_at,
        first_value(channel) over in_thread as entry_channel,
        max(case when stage = 'purchase' then 1 else 0 end) over (partition by thread_id)
            as has_purchase
    from {{ ref('journey_steps') }}
    window in_thread as (partition by thread_id order by step_number asc)
),

moves as (
    select
        coalesce(sessions.traffic_source, steps.entry_channel) as entry_source,
        steps.stage as from_stage,
        steps.channel,
        case
            when steps.next_stage is not null then steps.next_stage
            when steps.has_purchase = 1 then 'done'
            when {{ is_window_over('steps.occurred_at', threshold('journey_gap_days')) }}
                then 'dropped'
            else 'open'
        end as to_stage,
        cast({{ seconds_between('steps.occurred_at', 'steps.next_at') }} / 3600.0 as decimal(18, 4))
            as hours
    from steps
    left join {{ ref('sessions') }} as sessions
        on steps.thread_id = 'visit:' || sessions.session_id
    where steps.next_stage is null
        or steps.next_stage <> steps.stage
        or steps.next_channel <> steps.channel
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
