-- A membership lasts until the customer's next transition of the kind.
with moved as (
    {{ moved_since_the_first_day(ref('segment_transitions'), has_corrections=false) }}
),

spells as (
    select
        transitions.segment_kind,
        transitions.customer_id,
        transitions.to_segment_id as segment_id,
        transitions.changed_on as valid_from,
        lead(transitions.changed_on) over (
            partition by transitions.segment_kind, transitions.customer_id
            order by transitions.changed_on asc
        ) as valid_to
    from {{ ref('segment_transitions') }} as transitions
    inner join moved
        on transitions.segment_kind = moved.segment_kind
        and transitions.customer_id = moved.customer_id
)

select segment_id, customer_id, segment_kind, valid_from, valid_to
from spells
where segment_id is not null
union all
select
    transitions.to_segment_id,
    transitions.customer_id,
    transitions.segment_kind,
    transitions.changed_on,
    cast(null as date)
from {{ ref('segment_transitions') }} as transitions
left join moved
    on transitions.segment_kind = moved.segment_kind
    and transitions.customer_id = moved.customer_id
where moved.customer_id is null
