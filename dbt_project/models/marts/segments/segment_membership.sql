with spells as (
    select
        segment_kind,
        customer_id,
        to_segment_id as segment_id,
        changed_on as valid_from,
        lead(changed_on) over (
            partition by segment_kind, customer_id order by changed_on asc
        ) as valid_to
    from {{ ref('segment_transitions') }}
)

select segment_id, customer_id, segment_kind, valid_from, valid_to
from spells
where segment_id is not null
