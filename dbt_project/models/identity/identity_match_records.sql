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
    where persons.folded_name is not null
)

select
    record_key,
    source as source_key,
    given_name,
    family_name,
    full_name,
    birth_date,
    coalesce(birth_date_text, cast(birth_date as varchar)) as birth_date_text,
    birth_year,
    {{ gender_word('gender') }} as gender,
    email,
    phone_e164 as phone,
    address,
    postal_code,
    coalesce(city, ward) as city,
    province,
    national_id
from described
where recency = 1
