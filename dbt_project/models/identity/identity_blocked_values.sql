-- Values that may not link people, with the reason. They still are somebody's contact address;
-- they only say nothing about who is whom.
with observed as (
    select
        *,
        source || '|' || record_kind || '|' || record_id as record_key
    from {{ ref('int_identifiers_observed') }}
),

-- How many accounts of one kind stand beside a value: a family's phone, a shop's tablet.
holders as (
    select
        shared.identifier_type,
        shared.namespace,
        shared.identifier_value,
        count(distinct accounts.identifier_value) as holder_count
    from observed as shared
    inner join observed as accounts
        on shared.record_key = accounts.record_key
        and accounts.identifier_type in ('user_id', 'member_number', 'external_id')
    where shared.identifier_type in ('email', 'phone', 'anonymous_id')
    group by
        shared.identifier_type,
        shared.namespace,
        shared.identifier_value,
        accounts.identifier_type,
        accounts.namespace
),

names as (
    select distinct
        observed.identifier_type,
        observed.namespace,
        observed.identifier_value,
        {{ fold_text('records.full_name') }} as name,
        {{ rx_extract(fold_text('records.full_name'), '([^ ]+)$', 1) }} as last_word
    from observed
    inner join {{ ref('int_contact_records') }} as records
        on observed.source = records.source
        and observed.record_kind = records.record_kind
        and observed.record_id = records.record_id
    where observed.identifier_type in ('email', 'phone') and records.full_name <> ''
),

reasons as (
    select
        observed.identifier_type,
        observed.namespace,
        observed.identifier_value,
        'pattern:' || patterns.reason as reason
    from observed
    inner join {{ vocabulary('blocked_identifiers', {
        'identifier_type': 'varchar', 'pattern': 'varchar', 'reason': 'varchar'
    }) }} as patterns
        on observed.identifier_type = patterns.identifier_type
        and regexp_matches(observed.identifier_value, patterns.pattern)
    union all
    select
        identifier_type,
        namespace,
        identifier_value,
        'too_many_holders' as reason
    from holders
    where (identifier_type = 'phone' and holder_count > {{ identifier_limit('phone') }})
        or (identifier_type = 'email' and holder_count > {{ identifier_limit('email') }})
        or (
            identifier_type = 'anonymous_id'
            and holder_count > {{ identifier_limit('anonymous_id') }}
        )
    union all
    -- In the hands of two people: their names differ by more than a typing mistake (two letters)
    -- and their last words, the given name in Viet Nam, are not the same.
    select
        names.identifier_type,
        names.namespace,
        names.identifier_value,
        'names_disagree' as reason
    from names
    inner join names as others
        on names.identifier_type = others.identifier_type
        and names.namespace = others.namespace
        and names.identifier_value = others.identifier_value
        and names.name < others.name
    where levenshtein(names.name, others.name) > 2
        and names.last_word <> others.last_word
)

select
    identifier_type,
    namespace,
    identifier_value,
    min(reason) as reason
from reasons
group by identifier_type, namespace, identifier_value
