-- Declared segments, and one per province that a customer lives in.
with provinces as (
    select
        'province_' || replace(lower(province), ' ', '_') as segment_id,
        max(province) as province
    from {{ ref('customers') }}
    where province <> 'unknown'
    group by 1
)

select
    segment_id, segment_kind, segment_name, label_vi, kind, description, rule, owner
from {{ ref('segment_definitions') }}
union all
select
    segment_id,
    'province' as segment_kind,
    province as segment_name,
    province as label_vi,
    'geographic' as kind,
    'Customers whose golden address lies in ' || province as description,
    'province = ''' || replace(province, '''', '''''') || '''' as rule,
    'crm' as owner
from provinces
