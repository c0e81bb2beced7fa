-- Two identifiers that one record shows together. Each record ties its strongest identifier to
-- the others: the same components as all pairs, with fewer rows.
with linkable as (
    select
        observed.source,
        observed.record_kind,
        observed.record_id,
        observed.first_seen_at,
        nodes.node_id,
        row_number() over (
            partition by observed.source, observed.record_kind, observed.record_id
            order by {{ identifier_rank('nodes.identifier_type') }} asc, nodes.node_id asc
        ) as strength
    from {{ ref('int_identifiers_observed') }} as observed
    inner join {{ ref('identity_nodes') }} as nodes
        on observed.identifier_type = nodes.identifier_type
        and observed.namespace = nodes.namespace
        and observed.identifier_value = nodes.identifier_value
    where nodes.blocked_by is null
),

pairs as (
    select
        strongest.node_id as left_node,
        others.node_id as right_node,
        others.source,
        others.record_kind || ':' || others.record_id as record_id,
        others.first_seen_at,
        row_number() over (
            partition by strongest.node_id, others.node_id
            order by
                others.first_seen_at asc nulls last,
                others.source asc,
                others.record_kind asc,
                others.record_id asc
        ) as sighting
    from linkable as strongest
    inner join linkable as others
        on strongest.source = others.source
        and strongest.record_kind = others.record_kind
        and strongest.record_id = others.record_id
    where strongest.strength = 1 and others.strength > 1
)

select
    left_node,
    right_node,
    source,
    record_id,
    first_seen_at
from pairs
where sighting = 1
