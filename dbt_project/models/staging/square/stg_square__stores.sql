{{ config(materialized='view') }}

with locations as (
    select *
    from {{ ref('base_square__locations') }}
    where not coalesce(_is_deleted, false)
)

{{ as_entity('stores', 'locations', {
    'store_id': 'id',
    'store_name': 'name',
    'province': 'coalesce(' ~ json_text('address', 'administrative_district_level_1') ~ ', '
        ~ json_text('address', 'locality') ~ ')',
    'updated_at': 'created_at',
}) }}
