-- Whose record it is: what its strongest mapped identifier says; null when none is mapped.
with resolved as (
    select
        observed.source,
        observed.record_kind,
        observed.record_id,
        identity_map.customer_id,
        row_number() over (
            partition by observed.source, observed.record_kind, observed.record_id
            order by
                {{ identifier_rank('observed.identifier_type') }} asc,
                observed.identifier_value asc
        ) as strength
    from {{ ref('int_identifiers_observed') }} as observed
    inner join {{ ref('identity_map') }} as identity_map
        on observed.identifier_type = identity_map.identifier_type
        and observed.namespace = identity_map.namespace
        and observed.identifier_value = identity_map.identifier_value
)

select
    records.source,
    records.record_kind,
    records.record_id,
    resolved.customer_id
from {{ ref('int_contact_records') }} as records
left join resolved
    on records.source = resolved.source
    and records.record_kind = resolved.record_kind
    and records.record_id = resolved.record_id
    and resolved.strength = 1
