-- Every value any source gave for an attribute, and which one is believed: the most trusted
-- source's (identity.yml), then the one most records tell, then the most recent, then the smaller
-- text, so that no row order can decide. A missing value is no candidate.
{% set attributes = {
    'full_name': 'full_name', 'email': 'email', 'phone_e164': 'phone_e164',
    'birth_date': 'cast(birth_date as varchar)', 'birth_year': 'cast(birth_year as varchar)',
    'age_band': 'age_band', 'gender': gender_word('gender'), 'marital_status': 'marital_status',
    'occupation': 'occupation', 'income_band': 'income_band', 'country': 'country',
    'province': "coalesce(province, nullif(raw_province, ''))",
    'ward': "coalesce(ward, nullif(raw_ward, ''))", 'address_original': 'address',
    'loyalty_tier': 'loyalty_tier', 'loyalty_enrolled_at': 'cast(loyalty_enrolled_at as varchar)',
    'preferred_size': 'preferred_size',
} -%}
{% set originals = {'province': 'raw_province', 'ward': 'raw_ward'} -%}
{% set belief = 'trust_rank asc, record_count desc, observed_at desc nulls last, value asc' -%}
with records as (
    select
        records.*,
        coalesce(records.updated_at, records.created_at) as observed_at
    from {{ ref('int_customer_records') }} as records
    inner join {{ ref('known_customers') }} as known_customers
        on records.customer_id = known_customers.customer_id
),

provinces as (
    select
        customer_id, value, trust_rank, observed_at, is_recognised,
        count(*) over (partition by customer_id, value) as record_count
    from (
        select
            customer_id, observed_at,
            {{ attributes.province }} as value,
            {{ trust_rank('province') }} as trust_rank,
            province is not null as is_recognised
        from records
    ) as told_provinces
    where value <> ''
),

golden_provinces as (
    select
        customer_id, value,
        row_number() over (partition by customer_id order by {{ belief }}) as value_rank
    from provinces
    where is_recognised
),

-- A ward or street of another province would be an address that does not exist.
placed as (
    select
        records.*,
        coalesce(golden.value, '') <> coalesce(records.province, '') as is_elsewhere
    from records
    left join golden_provinces as golden
        on records.customer_id = golden.customer_id and golden.value_rank = 1
),

told as (
    {% for attribute, expression in attributes.items() -%}
    select
        customer_id, source, record_kind, record_id, observed_at,
        '{{ attribute }}' as attribute,
        {{ expression }} as value,
        {{ originals.get(attribute, 'null') }} as original_value,
        {{ trust_rank(attribute) }} as trust_rank,
        case
            when {{ attribute ~ ' is null' if attribute in originals else 'false' }}
                then 'not_recognised'
            when {{ 'is_elsewhere' if attribute in ['ward', 'address_original'] else 'false' }}
                then 'other_province'
        end as set_aside
    from placed
    where {{ expression }} <> ''
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

counted as (
    select
        *,
        count(*) over (partition by customer_id, attribute, value) as record_count,
        lag(source) over (
            partition by customer_id, attribute, value
            order by
                source asc, set_aside asc nulls first, observed_at desc nulls last,
                record_kind asc, record_id asc
        ) as previous_source
    from told
),

-- One row per source that gave the value: its newest record that is not set aside.
collapsed as (
    select * from counted
    where coalesce(source <> previous_source, true)
),

ranked as (
    select
        *,
        row_number() over by_belief as value_rank,
        first_value(value) over by_belief as best_value,
        first_value(set_aside) over by_belief as best_set_aside
    from collapsed
    window by_belief as (
        partition by customer_id, attribute
        order by set_aside asc nulls first, {{ belief }}, source asc
        rows between unbounded preceding and current row
    )
),

named as (
    select
        *,
        value_rank = 1 and set_aside is null as is_golden,
        case when best_set_aside is null then best_value end as golden_value
    from ranked
),

-- What the golden value was held against: the best one that says something else.
rivals as (
    select
        customer_id, attribute, value, trust_rank, record_count, observed_at,
        row_number() over (
            partition by customer_id, attribute order by value_rank asc
        ) as rival_rank
    from named
    where set_aside is null and value <> golden_value
)

select
    named.customer_id,
    named.attribute,
    named.value,
    named.source,
    named.observed_at,
    named.is_golden,
    case
        when named.set_aside is not null then named.set_aside
        when not named.is_golden and named.value = named.golden_value then 'same_value'
        when not named.is_golden then 'superseded'
        when rivals.value is null then 'only_value'
        when named.trust_rank < rivals.trust_rank then 'most_trusted'
        when named.record_count > rivals.record_count then 'most_frequent'
        when coalesce(named.observed_at <> rivals.observed_at, rivals.observed_at is null)
            and named.observed_at is not null then 'most_recent'
        else 'smallest_text'
    end as rule,
    named.record_kind,
    named.record_id,
    cast(named.record_count as integer) as record_count,
    named.original_value
from named
left join rivals
    on named.customer_id = rivals.customer_id
    and named.attribute = rivals.attribute
    and rivals.rival_rank = 1
