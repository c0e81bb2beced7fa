-- Who shows which e-mail address or number, under what name: the holders of a value.
with holders as (
    select
        source,
        record_kind,
        record_id,
        holder_type,
        holder_namespace,
        holder_value
    from {{ ref('identity_record_holders') }}
),

-- An account goes by the name of its own records, wherever it shows a value.
names as (
    select distinct
        holders.holder_type,
        holders.holder_namespace,
        holders.holder_value,
        persons.folded_name,
        persons.birth_date
    from {{ ref('int_person_records') }} as persons
    inner join holders
        on persons.source = holders.source
        and persons.record_kind = holders.record_kind
        and persons.record_id = holders.record_id
    where persons.folded_name is not null
),

shown as (
    select
        observed.identifier_type,
        observed.namespace,
        observed.identifier_value,
        holders.holder_type,
        holders.holder_namespace,
        holders.holder_value,
        observed.source,
        observed.record_kind || ':' || observed.record_id as record_id,
        observed.first_seen_at,
        row_number() over (
            partition by
                observed.identifier_type,
                observed.identifier_value,
                holders.holder_type,
                holders.holder_namespace,
                holders.holder_value
            order by
                observed.first_seen_at asc nulls last,
                observed.source asc,
                observed.record_kind asc,
                observed.record_id asc
        ) as sighting
    from {{ ref('int_identifiers_observed') }} as observed
    inner join holders
        on observed.source = holders.source
        and observed.record_kind = holders.record_kind
        and observed.record_id = holders.record_id
    where observed.identifier_type in ('email', 'phone')
)

select
    shown.identifier_type,
    shown.namespace,
    shown.identifier_value,
    shown.holder_type,
    shown.holder_namespace,
    shown.holder_value,
    names.folded_name,
    {{ sorted_words('names.folded_name') }} as sorted_name,
    names.birth_date,
    shown.source,
    shown.record_id,
    shown.first_seen_at
from shown
left join names
    on shown.holder_type = names.holder_type
    and shown.holder_namespace = names.holder_namespace
    and shown.holder_value = names.holder_value
where shown.sighting = 1
