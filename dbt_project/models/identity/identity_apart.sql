-- Pairs of which somebody said that they are two people (khach identity review).
with named_nodes as (
    select node_id, identifier_type || '|' || namespace || '|' || identifier_value as holder_key
    from {{ ref('identity_nodes') }}
    where blocked_by is null
)

select
    lefts.node_id as left_node,
    rights.node_id as right_node
from {{ ref('identity_reviewed') }} as reviewed
inner join named_nodes as lefts on reviewed.left_key = lefts.holder_key
inner join named_nodes as rights on reviewed.right_key = rights.holder_key
where not reviewed.is_accepted
