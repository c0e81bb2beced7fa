-- Values that may not link people, with the reason. They still are somebody's contact address;
-- they only say nothing about who is whom, unless the names beside them agree (identity_edges).
-- depends_on: {{ ref('blocked_identifiers') }}
{% set most_of_an_email = identifier_rule('email', 'holders') or 'null' -%}
{% set most_of_a_phone = identifier_rule('phone', 'holders') or 'null' -%}
with named as (
    select distinct
        identifier_type,
        identifier_value,
        folded_name,
        sorted_name,
        birth_date
    from {{ ref('identity_contacts') }}
    where folded_name is not null
),

-- More names than a family has: not worth comparing, and no pair of them is formed.
name_counts as (
    select
        identifier_type,
        identifier_value,
        count(*) as name_count
    from named
    group by identifier_type, identifier_value
),

compared as (
    select named.*
    from named
    inner join name_counts
        on named.identifier_type = name_counts.identifier_type
        and named.identifier_value = name_counts.identifier_value
    where name_counts.name_count <= {{ most_names_compared() }}
),

accounts as (
    select
        identifier_type,
        identifier_value,
        count(distinct holder_value) as account_count
    from {{ ref('identity_contacts') }}
    where holder_type <> 'record'
    group by identifier_type, identifier_value, holder_type, holder_namespace
),

observed as (
    select distinct
        identifier_type,
        namespace,
        identifier_value
    from {{ ref('int_identifiers_observed') }}
),

reasons as (
    {% for row in blocked_patterns() -%}
    select
        identifier_type,
        namespace,
        identifier_value,
        {{ row['reason'] }} as reason,
        false as may_be_one
    from observed
    where identifier_type = {{ row['identifier_type'] }}
        and regexp_matches(identifier_value, {{ row['pattern'] }})
    union all
    {% endfor -%}
    select
        identifier_type,
        namespace,
        identifier_value,
        'blocked' as reason,
        false as may_be_one
    from {{ ref('identity_blocks') }}
    union all
    select
        identifier_type,
        '',
        identifier_value,
        'too_many_holders',
        false
    from name_counts
    where name_count > {{ most_names_compared() }}
    union all
    select
        identifier_type,
        '',
        identifier_value,
        'too_many_holders',
        false
    from accounts
    where (identifier_type = 'email' and account_count > {{ most_of_an_email }})
        or (identifier_type = 'phone' and account_count > {{ most_of_a_phone }})
    union all
    -- In the hands of two people.
    select
        one.identifier_type,
        '',
        one.identifier_value,
        'names_disagree',
        {{ may_be_one_person('one', 'other') }}
    from compared as one
    inner join compared as other
        on one.identifier_type = other.identifier_type
        and one.identifier_value = other.identifier_value
        and one.folded_name <= other.folded_name
    where not {{ same_person('one', 'other') }}
)

select
    reasons.identifier_type,
    reasons.namespace,
    reasons.identifier_value,
    min(reasons.reason) as reason,
    -- Shared by a few people: two records that show it and agree in name are one person's.
    min(case
        when reasons.reason in ('names_disagree', 'too_many_holders')
            and coalesce(name_counts.name_count, 0) <= {{ most_names_compared() }} then 1
        else 0
    end) = 1 as links_by_name,
    -- Whether likeness may look at it: no two names beside it are clearly two people's.
    min(case when reasons.may_be_one then 1 else 0 end) = 1 as is_compared
from reasons
left join name_counts
    on reasons.identifier_type = name_counts.identifier_type
    and reasons.identifier_value = name_counts.identifier_value
group by reasons.identifier_type, reasons.namespace, reasons.identifier_value
