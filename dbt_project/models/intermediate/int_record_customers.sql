-- Whose record it is: what its strongest mapped identifier says, the record itself among them when
-- it stands for a person; null when none is mapped.
with identifiers as (
    select
        source,
        record_kind,
        record_id,
        identifier_type,
        namespace,
        identifier_value
    from {{ ref('int_identifiers_observed') }}
    union all
    select
        source,
        record_kind,
        record_id,
        holder_type,
        holder_namespace,
        holder_value
    from {{ ref('identity_record_holders') }}
    where holder_type = 'record'
),

-- One text to order by: DuckDB then finds the least in a group instead of sorting all.
ranked as (
    select
        identifiers.source,
        identifiers.record_kind,
        identifiers.record_id,
        identity_map.customer_id,
        row_number() over (
            partition by identifiers.source, identifiers.record_kind, identifiers.record_id
            order by
                cast({{ identifier_rank('identifiers.identifier_type') }} as varchar)
                || identifiers.identifier_value asc
        ) as strength
    from identifiers
    inner join {{ ref('identity_map') }} as identity_map
        on identifiers.identifier_type = identity_map.identifier_type
        and identifiers.namespace = identity_map.namespace
        and identifiers.identifier_value = identity_map.identifier_value
),

resolved as (
    select
        source,
        record_kind,
        record_id,
        customer_id
    from ranked
    where strength = 1
),

-- An address that a family shares is mapped to nobody, but what was mailed to it went to the one
-- who subscribed with it.
subscribers as (
    select
        observed.identifier_value,
        min(resolved.customer_id) as customer_id
    from {{ ref('int_identifiers_observed') }} as observed
    inner join {{ ref('stg_mailchimp__members') }} as members
        on observed.source = members.source and observed.record_id = members.member_id
    inner join resolved
        on observed.source = resolved.source
        and observed.record_kind = resolved.record_kind
        and observed.record_id = resolved.record_id
    where observed.record_kind = 'customers' and observed.identifier_type = 'email'
    group by observed.identifier_value
    having count(distinct resolved.customer_id) = 1
),

mailed as (
    select
        observed.source,
        observed.record_kind,
        observed.record_id,
        min(subscribers.customer_id) as customer_id
    from {{ ref('int_identifiers_observed') }} as observed
    inner join subscribers on observed.identifier_value = subscribers.identifier_value
    where observed.identifier_type = 'email'
        and observed.record_kind in ('email_events', 'experiments')
    group by observed.source, observed.record_kind, observed.record_id
)

select
    records.source,
    records.record_kind,
    records.record_id,
    coalesce(resolved.customer_id, mailed.customer_id) as customer_id
from {{ ref('int_contact_records') }} as records
left join resolved
    on records.source = resolved.source
    and records.record_kind = resolved.record_kind
    and records.record_id = resolved.record_id
left join mailed
    on records.source = mailed.source
    and records.record_kind = mailed.record_kind
    and records.record_id = mailed.record_id
