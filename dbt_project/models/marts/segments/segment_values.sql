-- The words that customers have in the kinds whose segments nobody can list beforehand, and the
-- segment that each makes. Spellings that fold alike are one segment.
{{ config(schema='intermediate') }}
{%- set kinds = exclusive_kinds().items() | selectattr('1.open', 'defined') | list %}

with words as (
    select
        {% for kind, about in kinds -%}
        {{ or_unknown(about['column']) }} as {{ kind }}_word,
        {% endfor -%}
        customer_id
    from {{ ref('segment_inputs') }}
)

{% for kind, about in kinds -%}
select
    '{{ kind }}' as segment_kind,
    word,
    '{{ kind }}_' || {{ segment_slug('word') }} as segment_id,
    '{{ about['column'] }}' as column_name,
    '{{ about['open'] }}' as kind
from (select distinct {{ kind }}_word as word from words) as {{ kind }}_words
{{ 'union all' if not loop.last }}
{% endfor %}
