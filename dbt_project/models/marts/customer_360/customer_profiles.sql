-- The golden attributes, one row per customer.
{{ config(schema='intermediate') }}
{% set attributes = [
    'full_name', 'email', 'phone_e164', 'gender', 'marital_status', 'occupation', 'income_band',
    'country', 'province', 'ward', 'address_original', 'loyalty_tier', 'preferred_size',
    'birth_date', 'birth_year', 'age_band', 'loyalty_enrolled_at'
] %}
with golden as (
    select
        customer_id,
    {% for attribute in attributes -%}
    max(case when attribute = '{{ attribute }}' then value end) as {{ attribute }}
    {{- ',' if not loop.last }}
    {% endfor %}
    from {{ ref('customer_attributes') }}
    where is_golden
    group by customer_id
),

-- A name is read by the habits of the customer's country, else of the one it was told with.
names as (
    select
        golden.customer_id, parsed.given_name, parsed.family_name,
        row_number() over (
            partition by golden.customer_id
            order by
                case
                    when parsed.country = coalesce(golden.country, '{{ var("default_country") }}')
                        then 0
                    else 1
                end asc,
                parsed.country asc
        ) as fit_rank
    from golden
    inner join {{ ref('int_contact_values_parsed') }} as parsed
        on parsed.kind = 'name' and golden.full_name = parsed.raw_value
),

dated as (
    select
        golden.*,
        cast(golden.birth_date as date) as born_on,
        coalesce(
            cast(extract(year from cast(golden.birth_date as date)) as integer),
            cast(golden.birth_year as integer)
        ) as born_in,
        -- A band that a source declares counts where no date or year of birth is known.
        case
            when golden.age_band in (
                    'under_18', '18_24', '25_34', '35_44', '45_54', '55_64', '65_plus'
                ) then golden.age_band
        end as declared_age_band
    from golden
)

select
    known_customers.customer_id,
    known_customers.first_seen_at,
    dated.full_name,
    names.given_name,
    names.family_name,
    dated.email,
    dated.phone_e164,
    dated.born_on as birth_date,
    dated.born_in as birth_year,
    case
        when dated.born_in is null then coalesce(dated.declared_age_band, 'unknown')
        else {{ age_band(
            'case when dated.born_on is not null then ' ~ age_on('dated.born_on', as_of_on())
            ~ ' else cast(extract(year from ' ~ as_of_on() ~ ') as integer) - dated.born_in end'
        ) }}
    end as age_band,
    coalesce(generations.generation, 'unknown') as generation,
    coalesce(dated.gender, 'unknown') as gender,
    dated.marital_status,
    dated.occupation,
    dated.income_band,
    dated.country,
    coalesce(dated.province, 'unknown') as province,
    coalesce(dated.ward, 'unknown') as ward,
    dated.address_original,
    dated.loyalty_tier,
    cast(dated.loyalty_enrolled_at as timestamp) as loyalty_enrolled_at,
    dated.preferred_size
from {{ ref('known_customers') }} as known_customers
left join dated on known_customers.customer_id = dated.customer_id
left join names on dated.customer_id = names.customer_id and names.fit_rank = 1
left join {{ vocabulary('generations', {
    'generation': 'varchar', 'birth_year_from': 'integer', 'birth_year_to': 'integer',
}) }} as generations
    on dated.born_in >= coalesce(generations.birth_year_from, dated.born_in)
    and dated.born_in <= coalesce(generations.birth_year_to, dated.born_in)
