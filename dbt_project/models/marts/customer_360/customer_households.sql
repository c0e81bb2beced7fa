-- Who lives together: people at one street address with the same family name or a shared phone,
-- directly or through a third person there. A phone alone makes no household. Where more people
-- give an address than live behind one door (an office, a tower), it is nobody's.
{{ config(schema='intermediate') }}
{%- set most_people = 8 %}
{%- set address_noise = '(^| )(so nha|so|nha|duong|street|st|road|rd)( |$)' %}
with written as (
    select
        customer_id,
        {{ fold_text('family_name') }} as family_key,
        province,
        ward,
        {{ rx_replace(rx_replace(fold_text('address_original'), address_noise, ' '),
            address_noise, ' ') }} as street
    from {{ ref('customer_profiles') }}
    -- A street without a number, or in no known ward, may be anywhere.
    where {{ rx_like('address_original', '[0-9]') }}
        and province <> 'unknown'
        and (ward <> 'unknown' or coalesce(country, '{{ var("default_country") }}') <> 'VN')
),

addressed as (
    select
        *,
        count(*) over (partition by province, ward, trim(street)) as people_count,
        province || '|' || ward || '|' || trim(street) as address_key
    from written
),

ties as (
    select customer_id, address_key, 'self ' || customer_id as tie
    from addressed
    where people_count <= {{ most_people }}
    union all
    select customer_id, address_key, 'name ' || family_key
    from addressed
    where people_count between 2 and {{ most_people }} and family_key <> ''
    union all
    select addressed.customer_id, addressed.address_key, 'phone ' || phones.value
    from addressed
    inner join {{ ref('customer_attributes') }} as phones
        on addressed.customer_id = phones.customer_id and phones.attribute = 'phone_e164'
    where addressed.people_count between 2 and {{ most_people }}
    group by addressed.customer_id, addressed.address_key, phones.value
),

-- Who is tied to whom, then to whom over two ties, four, eight: more there are not behind a door.
tied_1 as (
    select distinct left_end.customer_id, right_end.customer_id as other_id
    from ties as left_end
    inner join ties as right_end
        on left_end.address_key = right_end.address_key and left_end.tie = right_end.tie
),
{%- for reach in (2, 4, 8) %}

tied_{{ reach }} as (
    select distinct left_end.customer_id, right_end.other_id
    from tied_{{ reach // 2 }} as left_end
    inner join tied_{{ reach // 2 }} as right_end on left_end.other_id = right_end.customer_id
){{ ',' if not loop.last }}
{%- endfor %}

select
    customer_id,
    'H-' || min(other_id) as household_id
from tied_{{ most_people }}
group by customer_id
