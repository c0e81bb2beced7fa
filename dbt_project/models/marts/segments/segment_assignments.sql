-- The segments every customer is in now: exactly one of each exclusive kind, any number of flags
-- and stated answers (each a kind of its own).
{{ config(schema='intermediate') }}
{%- set kinds = exclusive_kinds() %}

with words as (
    select
        {% for kind, about in kinds.items() -%}
        {{ or_unknown(about['column']) }} as {{ kind }}_word,
        {% endfor -%}
        customer_id
    from {{ ref('segment_inputs') }}
)

{% for kind, about in kinds.items() -%}
{% if 'open' in about -%}
select '{{ kind }}' as segment_kind, words.customer_id, held.segment_id
from words
inner join {{ ref('segment_values') }} as held
    on held.segment_kind = '{{ kind }}' and words.{{ kind }}_word = held.word
{% else -%}
select '{{ kind }}' as segment_kind, customer_id, '{{ kind }}_' || {{ kind }}_word as segment_id
from words
{% endif -%}
union all
{% endfor -%}
select segment_id as segment_kind, customer_id, segment_id
from {{ ref('segment_flags') }}
union all
select segment_kind, customer_id, segment_id
from {{ ref('segment_evidence') }}
where origin = 'declared'
