-- What is compared where no exact identifier tells: one row per holder, an account by the newest
-- of its own records.
with described as (
    select
        holders.holder_type || '|' || holders.holder_namespace || '|' || holders.holder_value
            as record_key,
        persons.*,
        row_number() over (
            partition by
                holders.holder_type, holders.holder_namespace, holders.holder_value
            order by
                case persons.record_kind when 'customers' then 0 else 1 end asc,
                persons.updated_at desc nulls last,
                persons.source asc,
                persons.record_kind asc,
                persons.record_id asc
        ) as recency
    from {{ ref('int_person_records') }} as persons
    inner join {{ ref('identity_record_holders') }} as holders
        on persons.source = holders.source
        and persons.record_kind = holders.record_kind
        and persons.record_id = holders.record_id
    where persons.folded_name is not null or {{ tells_a_person('persons') }}
)

-- An address or number that several people share is no likeness; beside a name it is evidence
-- already (identity_shared_values). One that may be a single person's, misspelt, is compared.
select
    described.record_key,
    described.source as source_key,
    described.given_name,
    described.family_name,
    described.full_name,
    described.birth_date,
    coalesce(described.birth_date_text, cast(described.birth_date as varchar)) as birth_date_text,
    described.birth_year,
    {{ gender_word('described.gender') }} as gender,
    case when shared_email.identifier_value is null then described.email end as email,
    case when shared_phone.identifier_value is null then described.phone_e164 end as phone,
    described.address,
    described.postal_code,
    coalesce(described.city, described.ward) as city,
    described.province,
    described.national_id
from described
left join {{ ref('identity_blocked_values') }} as shared_email
    on shared_email.identifier_type = 'email'
    and not shared_email.is_compared
    and {{ matched_email('described.email') }} = shared_email.identifier_value
left join {{ ref('identity_blocked_values') }} as shared_phone
    on shared_phone.identifier_type = 'phone'
    and not shared_phone.is_compared
    and described.phone_e164 = shared_phone.identifier_value
where described.recency = 1
