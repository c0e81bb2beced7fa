-- Whom each identifier stands for, and stood for: the links of the ledger as intervals.
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
),

-- Links made and undone on one day were never published.
links as (
    select
        identifier_type,
        namespace,
        identifier_value,
        customer_number,
        happened_at as valid_from,
        lead(happened_at) over (
            partition by identifier_type, namespace, identifier_value
            order by event_number asc nulls last
        ) as valid_to
    from {{ ref('identity_ledger') }}
    -- A record that stands for a person by itself is no identifier of anybody's.
    where event in ('linked', 'unlinked') and identifier_type <> 'record'
)

select
    {{ customer_id_of("links.customer_number") }} as customer_id,
    links.identifier_type,
    links.namespace,
    links.identifier_value,
    ranked_sources.source,
    observed.first_seen_at,
    observed.last_seen_at,
    links.valid_from,
    links.valid_to
from links
left join observed
    on links.identifier_type = observed.identifier_type
    and links.namespace = observed.namespace
    and links.identifier_value = observed.identifier_value
left join ranked_sources
    on links.identifier_type = ranked_sources.identifier_type
    and links.namespace = ranked_sources.namespace
    and links.identifier_value = ranked_sources.identifier_value
    and ranked_sources.source_rank = 1
where links.customer_number is not null
    and (links.valid_to is null or links.valid_to > links.valid_from)
