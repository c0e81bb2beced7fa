-- Whom a record speaks of before anybody is resolved: the account it names, else itself when it
-- describes a person. Two records that speak of one account are one holder.
with numbered as (
    select
        source,
        record_kind,
        record_id,
        identifier_type,
        namespace,
        identifier_value,
        row_number() over (
            partition by source, record_kind, record_id
            order by {{ identifier_rank('identifier_type') }} asc, identifier_value asc
        ) as strength
    from {{ ref('int_identifiers_observed') }}
    where identifier_type in ('user_id', 'member_number', 'external_id')
),

accounts as (
    select * from numbered
    where strength = 1
),

described as (
    select
        persons.source,
        persons.record_kind,
        persons.record_id
    from {{ ref('int_person_records') }} as persons
    left join {{ ref('int_contact_records') }} as records
        on persons.source = records.source
        and persons.record_kind = records.record_kind
        and persons.record_id = records.record_id
    -- A named order without any address or number is nobody's; a customer record is a person.
    -- So is one without a name, where it says what few people have in common.
    where
        (persons.record_kind = 'customers' and {{ tells_a_person('persons') }})
        or (
            persons.folded_name is not null
            and (persons.record_kind = 'customers' or records.email <> '' or records.phone <> '')
        )
)

select
    coalesce(accounts.source, described.source) as source,
    coalesce(accounts.record_kind, described.record_kind) as record_kind,
    coalesce(accounts.record_id, described.record_id) as record_id,
    coalesce(accounts.identifier_type, 'record') as holder_type,
    coalesce(accounts.namespace, described.source) as holder_namespace,
    coalesce(
        accounts.identifier_value, described.record_kind || ':' || described.record_id
    ) as holder_value
from accounts
full outer join described
    on accounts.source = described.source
    and accounts.record_kind = described.record_kind
    and accounts.record_id = described.record_id
