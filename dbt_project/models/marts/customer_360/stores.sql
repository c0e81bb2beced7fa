with versions as (
    select
        store_id, source, store_name, province,
        row_number() over (
            partition by store_id order by updated_at desc nulls last, source asc
        ) as version_rank
    from {{ entity_rows('stores') }} as stores
),

sold as (
    select store_id, min(source) as source
    from {{ ref('int_orders') }}
    where store_id is not null
    group by store_id
)

select
    coalesce(versions.store_id, sold.store_id) as store_id,
    coalesce(versions.source, sold.source) as source,
    versions.store_name,
    coalesce(places.province, 'unknown') as province
from (
    select * from versions
    where version_rank = 1
) as versions
full outer join sold on versions.store_id = sold.store_id
left join {{ ref('int_places') }} as places
    on places.country = ''
    and versions.province = places.written_province
    and places.written_ward = ''
