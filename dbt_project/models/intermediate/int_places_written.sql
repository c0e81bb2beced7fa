{{ config(materialized='view') }}

-- The distinct provinces and wards as people wrote them.
select distinct
    coalesce(country, '') as country,
    coalesce(province, '') as written_province,
    coalesce(ward, '') as written_ward
from (
    select country, province, ward from {{ entity_rows('customers') }} as customers
    union all
    select country, province, null from {{ ref('int_source_orders') }}
    union all
    select null, province, null from {{ entity_rows('stores') }} as stores
) as delivered
where province <> '' or ward <> ''
