-- Who is in which flag now: each flag's rule, as `segments` shows it, over one scan.
-- depends_on: {{ ref('segment_definitions') }}
{{ config(schema='intermediate') }}
{%- set flags = segment_flags() %}

with judged as (
    select
        {% for flag in flags -%}
        coalesce((
            {{ flag['rule'] }}
        ), false) as in_{{ flag['segment_id'] }},
        {% endfor -%}
        customer_id
    from {{ ref('segment_inputs') }}
)

{% for flag in flags -%}
select customer_id, '{{ flag["segment_id"] }}' as segment_id
from judged
where in_{{ flag['segment_id'] }}
union all
{% endfor -%}
select customer_id, cast(null as varchar) as segment_id
from judged
where false
