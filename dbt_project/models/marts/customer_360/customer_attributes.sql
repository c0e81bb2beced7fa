-- Every value any source gave for an attribute, and which one is believed: the most trusted
-- source's, then the most recent, then the smaller text so that no row order can decide.
{% set attributes = {
    'full_name': 'full_name', 'email': 'email', 'phone_e164': 'phone_e164',
    'birth_date': 'cast(birth_date as varchar)', 'birth_year': 'cast(birth_year as varchar)',
    'age_band': 'age_band', 'gender': gender_word('gender'), 'marital_status': 'marital_status', 'occupation': 'occupation',
    'income_band': 'income_band', 'country': 'country', 'province': 'province', 'ward': 'ward',
    'address_original': 'address', 'loyalty_tier': 'loyalty_tier',
    'loyalty_enrolled_at': 'cast(loyalty_enrolled_at as varchar)',
    'preferred_size': 'preferred_size',
} %}
with records as (
    select
        int_customer_records.*,
        coalesce(int_customer_records.updated_at, int_customer_records.created_at) as observed_at
    from {{ ref('int_customer_records') }} as int_customer_records
    inner join {{ ref('known_customers') }} as known_customers
        on int_customer_records.customer_id = known_customers.customer_id
),

candidates as (
    {% for attribute, expression in attributes.items() -%}
    select
        customer_id, source, record_id, observed_at, province as record_province,
        '{{ attribute }}' as attribute, {{ expression }} as value
    from records
    where {{ expression }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

trust as (
    select sources.source, source_trust.trust_rank
    from {{ ref('int_sources') }} as sources
    inner join {{ ref('source_trust') }} as source_trust on sources.area = source_trust.area
),

distinct_candidates as (
    select
        candidates.customer_id,
        candidates.attribute,
        candidates.value,
        candidates.source,
        max(candidates.observed_at) as observed_at,
        max(candidates.record_province) as record_province,
        min(coalesce(trust.trust_rank, 99)) as trust_rank
    from candidates
    left join trust on candidates.source = trust.source
    group by 1, 2, 3, 4
),

ranked as (
    select
        *,
        row_number() over (
            partition by customer_id, attribute
            order by trust_rank asc, observed_at desc nulls last, value asc, source asc
        ) as value_rank,
        count(*) over (partition by customer_id, attribute) as value_count
    from distinct_candidates
),

-- A ward or street of another province would be an address that does not exist.
placed as (
    select
        ranked.*,
        case
            when ranked.attribute not in ('ward', 'address_original') then false
            else coalesce(golden_province.value, '') <> coalesce(ranked.record_province, '')
        end as is_misplaced
    from ranked
    left join ranked as golden_province
        on ranked.customer_id = golden_province.customer_id
        and golden_province.attribute = 'province'
        and golden_province.value_rank = 1
),

chosen as (
    select
        *,
        row_number() over (
            partition by customer_id, attribute
            order by is_misplaced asc, value_rank asc
        ) as choice_rank
    from placed
)

select
    customer_id,
    attribute,
    value,
    source,
    observed_at,
    choice_rank = 1 and not is_misplaced as is_golden,
    case
        when is_misplaced then 'other_province'
        when choice_rank > 1 then 'superseded'
        when value_count = 1 then 'only_value'
        else 'most_trusted_then_most_recent'
    end as rule
from chosen
