-- Two holders of one shared e-mail address or number (a family's) whose names agree.
with shared as (
    select
        contacts.*,
        coalesce(cast(contacts.birth_date as varchar), '') as birth_text,
        contacts.holder_type || '|' || contacts.holder_namespace || '|' || contacts.holder_value
            as holder_key
    from {{ ref('identity_contacts') }} as contacts
    inner join {{ ref('identity_blocked_values') }} as blocked
        on contacts.identifier_type = blocked.identifier_type
        and contacts.identifier_value = blocked.identifier_value
    where blocked.links_by_name and contacts.folded_name is not null
),

-- The same name and birth date are one group, tied to its first holder: a group of n costs n.
grouped as (
    select
        *,
        row_number() over (
            partition by identifier_type, identifier_value, folded_name, birth_text
            order by holder_key asc
        ) as position
    from shared
),

firsts as (
    select * from grouped
    where position = 1
),

agreeing as (
    select
        one.identifier_type,
        one.identifier_value,
        one.holder_key as left_key,
        other.holder_key as right_key,
        one.folded_name || '|' || one.birth_text as left_group,
        other.folded_name || '|' || other.birth_text as right_group,
        one.birth_date as left_date,
        other.birth_date as right_date,
        other.source,
        other.record_id,
        other.first_seen_at
    from firsts as one
    inner join firsts as other
        on one.identifier_type = other.identifier_type
        and one.identifier_value = other.identifier_value
        and one.holder_key < other.holder_key
    where {{ same_person('one', 'other') }}
),

-- A name without a birth date that fits two birth dates (father and son) is neither's.
undecided as (
    select
        identifier_type,
        identifier_value,
        undated_group
    from (
        select
            identifier_type,
            identifier_value,
            case when left_date is null then left_group else right_group end as undated_group,
            coalesce(left_date, right_date) as birth_date
        from agreeing
        where (left_date is null) <> (right_date is null)
    ) as dated
    group by identifier_type, identifier_value, undated_group
    having count(distinct birth_date) > 1
)

select
    firsts.holder_key as left_key,
    grouped.holder_key as right_key,
    grouped.source,
    grouped.record_id,
    grouped.first_seen_at
from grouped
inner join firsts
    on grouped.identifier_type = firsts.identifier_type
    and grouped.identifier_value = firsts.identifier_value
    and grouped.folded_name = firsts.folded_name
    and grouped.birth_text = firsts.birth_text
where grouped.position > 1
union
select
    agreeing.left_key,
    agreeing.right_key,
    agreeing.source,
    agreeing.record_id,
    agreeing.first_seen_at
from agreeing
left join undecided as on_the_left
    on agreeing.identifier_type = on_the_left.identifier_type
    and agreeing.identifier_value = on_the_left.identifier_value
    and agreeing.left_group = on_the_left.undated_group
left join undecided as on_the_right
    on agreeing.identifier_type = on_the_right.identifier_type
    and agreeing.identifier_value = on_the_right.identifier_value
    and agreeing.right_group = on_the_right.undated_group
where on_the_left.undated_group is null and on_the_right.undated_group is null
