-- Which segment of each kind every customer is in now; exactly one per kind.
{{ config(schema='intermediate') }}
{% set kinds = {
    'lifecycle': "'lifecycle_' || lifecycle_stage",
    'rfm': "'rfm_' || rfm_segment",
    'generation': "'generation_' || generation",
    'gender': "'gender_' || gender",
    'province': "'province_' || replace(lower(coalesce(province, 'unknown')), ' ', '_')",
} %}
{% for kind, segment_id in kinds.items() -%}
select
    '{{ kind }}' as segment_kind,
    customer_id,
    {{ segment_id }} as segment_id
from {{ ref('customers') }}
{{ 'union all' if not loop.last }}
{% endfor %}
