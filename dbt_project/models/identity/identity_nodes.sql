-- Every identifier ever observed, and whether it may link people.
with observed as (
    select
        *,
        source || '|' || record_kind || '|' || record_id as record_key
    from {{ ref('int_identifiers_observed') }}
),

identifiers as (
    select
        identifier_type,
        namespace,
        identifier_value,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
        min_by(record_key, (first_seen_at is null, first_seen_at, record_key)) as first_record_key
    from observed
    group by identifier_type, namespace, identifier_value
),

-- How many accounts of one kind stand beside a value: a family's phone, a shop's tablet.
holders as (
    select
        shared.identifier_type,
        shared.namespace,
        shared.identifier_value,
        accounts.identifier_type as account_type,
        accounts.namespace as account_namespace,
        count(distinct accounts.identifier_value) as holder_count
    from observed as shared
    inner join observed as accounts
        on shared.record_key = accounts.record_key
        and accounts.identifier_type in ('user_id', 'member_number', 'external_id')
    where shared.identifier_type in ('email', 'phone', 'anonymous_id')
    group by 1, 2, 3, 4, 5
),

most_holders as (
    select
        identifier_type,
        namespace,
        identifier_value,
        max(holder_count) as holder_count
    from holders
    group by identifier_type, namespace, identifier_value
),

blocked_patterns as (
    select
        identifier_type,
        pattern,
        reason
    from {{ vocabulary('blocked_identifiers', {
        'identifier_type': 'varchar', 'pattern': 'varchar', 'reason': 'varchar'
    }) }} as blocked_identifiers
),

blocked as (
    select
        identifiers.identifier_type,
        identifiers.namespace,
        identifiers.identifier_value,
        min(blocked_patterns.reason) as reason
    from identifiers
    inner join blocked_patterns
        on identifiers.identifier_type = blocked_patterns.identifier_type
        and regexp_matches(identifiers.identifier_value, blocked_patterns.pattern)
    group by 1, 2, 3
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
    split_part(identifiers.first_record_key, '|', 1) as first_source,
    substr(
        identifiers.first_record_key, strpos(identifiers.first_record_key, '|') + 1
    ) as first_record_id,
    coalesce(most_holders.holder_count, 0) as holder_count,
    case
        when blocked.reason is not null then blocked.reason
        when most_holders.holder_count > case identifiers.identifier_type
            when 'phone' then {{ identifier_limit('phone') }}
            when 'email' then {{ identifier_limit('email') }}
            else {{ identifier_limit('anonymous_id') }}
        end then 'too_many_holders'
    end as blocked_by
from identifiers
left join most_holders
    on identifiers.identifier_type = most_holders.identifier_type
    and identifiers.namespace = most_holders.namespace
    and identifiers.identifier_value = most_holders.identifier_value
left join blocked
    on identifiers.identifier_type = blocked.identifier_type
    and identifiers.namespace = blocked.namespace
    and identifiers.identifier_value = blocked.identifier_value
