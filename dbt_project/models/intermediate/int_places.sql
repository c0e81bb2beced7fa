-- Provinces and wards as people wrote them, in the names of 2025: without accents, in short forms,
-- of the 63 provinces before. A province of Viet Nam that no spelling fits is null; a ward that
-- the list does not have (one of before 2025) keeps its own text. Elsewhere text stays as written.
{%- set country_name = "[ ,.-]*(việt ?nam|viet ?nam)[ .]*$" %}
{%- set province_noise = "^(tinh|thanh pho|tp|t p) | (city|province)$|( [0-9]{5,6})$" %}
{%- set last_part = rx_extract('place', '([^,;]+)$', 1) %}
{%- set ward_noise = "^(phuong|p|f|xa|x|thi tran|tt|dac khu) " %}
{%- set ward_prefix = "(?i)^(phường|phuong|p|f|xã|xa|x|th[iị] tr[aấ]n|tt|đặc khu|dac khu)[ .]+" %}
with folded as (
    select
        *,
        {{ fold_text('country') }} in ('vn', 'vnm', 'viet nam', 'vietnam')
        or (country = '' and '{{ var("default_country") }}' = 'VN') as is_domestic,
        {{ rx_replace('lower(written_province)', country_name, '') }} as place,
        {{ rx_extract('written_ward', '^([^,;]+)', 1) }} as ward_part
    from {{ ref('int_places_written') }}
),

keyed as (
    select
        *,
        trim({{ rx_replace('ward_part', ward_prefix, '') }}) as ward_text,
        replace({{ rx_replace(fold_text('place'), province_noise, '') }}, ' ', '') as place_key,
        replace({{ rx_replace(fold_text(last_part), province_noise, '') }}, ' ', '')
            as last_part_key,
        replace({{ rx_replace(fold_text('ward_part'), ward_noise, '') }}, ' ', '') as ward_key
    from folded
),

located as (
    select
        keyed.*,
        case
            when keyed.is_domestic then coalesce(whole.province, last_part.province)
            else nullif(trim(keyed.written_province), '')
        end as province
    from keyed
    left join {{ ref('province_spellings') }} as whole on keyed.place_key = whole.spelling
    left join {{ ref('province_spellings') }} as last_part
        on keyed.last_part_key = last_part.spelling
),

-- Wards of a province that differ in their accents only are told apart by them, or not at all.
candidates as (
    select
        located.country,
        located.written_province,
        located.written_ward,
        wards.ward,
        lower(wards.ward) = lower(located.ward_text) as is_exact,
        count(*) over (
            partition by located.country, located.written_province, located.written_ward
        ) as candidate_count
    from located
    inner join {{ ref('wards') }} as wards
        on located.province = wards.province
        and located.ward_key = replace({{ fold_text('wards.ward') }}, ' ', '')
    where located.is_domestic
)

select
    located.country,
    located.written_province,
    located.written_ward,
    located.province,
    case
        when located.ward_key in ('', 'unknown', 'khongro', 'khong', 'none', 'null', 'na') then null
        when not located.is_domestic then nullif(trim(located.written_ward), '')
        when {{ rx_like('located.ward_key', '^[0-9]+$') }} then 'Phường ' || located.ward_key
        else coalesce(candidates.ward, located.ward_text)
    end as ward
from located
left join candidates
    on located.country = candidates.country
    and located.written_province = candidates.written_province
    and located.written_ward = candidates.written_ward
    and (candidates.is_exact or candidates.candidate_count = 1)
