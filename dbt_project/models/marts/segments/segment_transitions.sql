-- One row per day on which a customer's segment of a kind became another one.
with daily as (
    select
        *,
        row_number() over (
            partition by segment_kind, customer_id, changed_on order by sequence_number desc
        ) as belief_rank
    from {{ ref('segment_history') }}
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
