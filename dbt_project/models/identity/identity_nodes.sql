-- Every identifier ever observed, and every record that stands for a person of its own; whether
-- each may link people.
with sightings as (
    select
        identifier_type,
        namespace,
        identifier_value,
        source,
        record_kind || ':' || record_id as record_id,
        first_seen_at,
        last_seen_at
    from {{ ref('int_identifiers_observed') }}
    union all
    select
        holders.holder_type,
        holders.holder_namespace,
        holders.holder_value,
        holders.source,
        holders.record_kind || ':' || holders.record_id,
        records.first_seen_at,
        records.last_seen_at
    from {{ ref('identity_record_holders') }} as holders
    inner join {{ ref('int_contact_records') }} as records
        on holders.source = records.source
        and holders.record_kind = records.record_kind
        and holders.record_id = records.record_id
    where holders.holder_type = 'record'
),

ranked as (
    select
        *,
        row_number() over (
            partition by identifier_type, namespace, identifier_value
            order by first_seen_at asc nulls last, source asc, record_id asc
        ) as sighting
    from sightings
),

identifiers as (
    select
        identifier_type,
        namespace,
        identifier_value,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
        max(case when sighting = 1 then source end) as first_source,
        max(case when sighting = 1 then record_id end) as first_record_id
    from ranked
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
