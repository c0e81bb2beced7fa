with observed as (
    select
        identifier_type,
        namespace,
        identifier_value,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from {{ ref('int_identifiers_observed') }}
    group by 1, 2, 3
),

ranked_sources as (
    select
        identifier_type,
        namespace,
        identifier_value,
        source,
        row_number() over (
            partition by identifier_type, namespace, identifier_value
            order by min(first_seen_at) asc nulls last, source asc
        ) as source_rank
    from {{ ref('int_identifiers_observed') }}
    group by 1, 2, 3, 4
)

select
    identity_map.customer_id,
    identity_map.identifier_type,
    identity_map.namespace,
    identity_map.identifier_value,
    ranked_sources.source,
    observed.first_seen_at,
    observed.last_seen_at,
    identity_map.valid_from,
    cast(null as timestamp) as valid_to
from {{ ref('identity_map') }} as identity_map
left join observed
    on identity_map.identifier_type = observed.identifier_type
    and identity_map.namespace = observed.namespace
    and identity_map.identifier_value = observed.identifier_value
left join ranked_sources
    on identity_map.identifier_type = ranked_sources.identifier_type
    and identity_map.namespace = ranked_sources.namespace
    and identity_map.identifier_value = ranked_sources.identifier_value
    and ranked_sources.source_rank = 1
-- A record that stands for a person by itself is no identifier of anybody's.
where identity_map.identifier_type <> 'record'
