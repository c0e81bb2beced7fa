-- Every identifier ever observed, and whether it may link people.
with observed as (
    select
        *,
        row_number() over (
            partition by identifier_type, namespace, identifier_value
            order by
                first_seen_at asc nulls last,
                source asc,
                record_kind asc,
                record_id asc
        ) as sighting
    from {{ ref('int_identifiers_observed') }}
),

identifiers as (
    select
        identifier_type,
        namespace,
        identifier_value,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
        max(case when sighting = 1 then source end) as first_source,
        max(case when sighting = 1 then record_kind || ':' || record_id end) as first_record_id
    from observed
    group by identifier_type, namespace, identifier_value
)

select
    row_number() over (
        order by
            identifiers.identifier_type asc,
            identifiers.namespace asc,
            identifiers.identifier_value asc
    ) as node_id,
    identifiers.identifier_type,
    identifiers.namespace,
    identifiers.identifier_value,
    identifiers.first_seen_at,
    identifiers.last_seen_at,
    identifiers.first_source,
    identifiers.first_record_id,
    blocked.reason as blocked_by
from identifiers
left join {{ ref('identity_blocked_values') }} as blocked
    on identifiers.identifier_type = blocked.identifier_type
    and identifiers.namespace = blocked.namespace
    and identifiers.identifier_value = blocked.identifier_value
