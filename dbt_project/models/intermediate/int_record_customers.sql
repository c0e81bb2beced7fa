-- Whose record it is: what its strongest mapped identifier says.
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
    source,
    record_kind,
    record_id,
    customer_id
from resolved
where strength = 1
