-- Two identifiers that belong to one person, with the strongest and first evidence of it.
with observed as (
    select
        source,
        record_kind,
        record_id,
        first_seen_at,
        identifier_type,
        namespace,
        identifier_value
    from {{ ref('int_identifiers_observed') }}
    union all
    select
        holders.source,
        holders.record_kind,
        holders.record_id,
        nodes.first_seen_at,
        holders.holder_type,
        holders.holder_namespace,
        holders.holder_value
    from {{ ref('identity_record_holders') }} as holders
    inner join {{ ref('identity_nodes') }} as nodes
        on holders.holder_type = nodes.identifier_type
        and holders.holder_namespace = nodes.namespace
        and holders.holder_value = nodes.identifier_value
    where holders.holder_type = 'record'
),

linkable as (
    select
        observed.source,
        observed.record_kind || ':' || observed.record_id as record_id,
        observed.first_seen_at,
        nodes.node_id,
        {{ identifier_strength('nodes.identifier_type') }} as strength,
        row_number() over (
            partition by observed.source, observed.record_kind, observed.record_id
            order by {{ identifier_rank('nodes.identifier_type') }} asc, nodes.node_id asc
        ) as position
    from observed
    inner join {{ ref('identity_nodes') }} as nodes
        on observed.identifier_type = nodes.identifier_type
        and observed.namespace = nodes.namespace
        and observed.identifier_value = nodes.identifier_value
    where nodes.blocked_by is null
),

named_nodes as (
    select
        node_id,
        first_source,
        first_record_id,
        first_seen_at,
        identifier_type || '|' || namespace || '|' || identifier_value as holder_key
    from {{ ref('identity_nodes') }}
    where blocked_by is null
),

evidence as (
    -- Seen in one record: each record ties its strongest identifier to the others, which makes the
    -- same components as all pairs, with fewer rows.
    select
        strongest.node_id as left_node,
        others.node_id as right_node,
        cast(least(strongest.strength, others.strength) as double) as strength,
        'exact_identifier' as rule,
        others.source,
        others.record_id,
        others.first_seen_at
    from linkable as strongest
    inner join linkable as others
        on strongest.source = others.source and strongest.record_id = others.record_id
    where strongest.position = 1 and others.position > 1
    union all
    select
        lefts.node_id as left_node,
        rights.node_id as right_node,
        60,
        'shared_value_same_name',
        found.source,
        found.record_id,
        found.first_seen_at
    from {{ ref('identity_shared_values') }} as found
    inner join named_nodes as lefts on found.left_key = lefts.holder_key
    inner join named_nodes as rights on found.right_key = rights.holder_key
    union all
    select
        lefts.node_id as left_node,
        rights.node_id as right_node,
        case when found.rule = 'review' then 95 else 50 * found.probability end,
        found.rule,
        rights.first_source,
        rights.first_record_id,
        rights.first_seen_at
    from {{ ref('identity_likely_pairs') }} as found
    inner join named_nodes as lefts on found.left_key = lefts.holder_key
    inner join named_nodes as rights on found.right_key = rights.holder_key
    where found.is_link
),

ranked as (
    select
        *,
        row_number() over (
            partition by least(left_node, right_node), greatest(left_node, right_node)
            order by
                strength desc,
                first_seen_at asc nulls last,
                source asc,
                record_id asc,
                rule asc,
                left_node asc
        ) as position
    from evidence
)

select
    left_node,
    right_node,
    strength,
    rule,
    source,
    record_id,
    first_seen_at
from ranked
where position = 1
