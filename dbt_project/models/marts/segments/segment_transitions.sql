-- One row per day on which a customer's segment of a kind became another one.
with moved as (
    {{ moved_since_the_first_day(ref('segment_history')) }}
),

daily as (
    select
        history.*,
        row_number() over (
            partition by history.segment_kind, history.customer_id, history.changed_on
            order by history.sequence_number desc
        ) as belief_rank
    from {{ ref('segment_history') }} as history
    inner join moved
        on history.segment_kind = moved.segment_kind and history.customer_id = moved.customer_id
),

days as (
    select
        segment_kind,
        customer_id,
        lag(to_segment_id) over (
            partition by segment_kind, customer_id order by changed_on asc
        ) as from_segment_id,
        to_segment_id,
        changed_on
    from daily
    where belief_rank = 1
)

select segment_kind, customer_id, from_segment_id, to_segment_id, changed_on
from days
where from_segment_id is distinct from to_segment_id
union all
-- Whoever never moved entered on the first day.
select
    history.segment_kind,
    history.customer_id,
    cast(null as varchar) as from_segment_id,
    history.to_segment_id,
    history.changed_on
from {{ ref('segment_history') }} as history
left join moved
    on history.segment_kind = moved.segment_kind and history.customer_id = moved.customer_id
where moved.customer_id is null and history.to_segment_id is not null
