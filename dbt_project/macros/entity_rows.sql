{#
    Which vendors' staging folders speak in our entities: `stg_<vendor>__<entity>` with the columns
    of the entity, beside `stg_entities__<entity>` that serves every files and sql source.
#}
{% macro vendor_entities() -%}
    {{ return({}) }}
{%- endmacro %}


{# Every staged row of an entity, whatever system it comes from: use it like a table. #}
{% macro entity_rows(entity) -%}
    {%- set kinds = var('sources') | map(attribute='kind') | unique | list -%}
    {%- set names = ['stg_entities__' ~ entity] -%}
    {%- for vendor, entities in vendor_entities().items() if vendor in kinds and entity in entities -%}
        {%- do names.append('stg_' ~ vendor ~ '__' ~ entity) -%}
    {%- endfor -%}
    {%- if names | length == 1 -%}
        {{ return(ref(names[0])) }}
    {%- endif -%}
    {%- set columns = raw_columns(entity).keys() | reject('equalto', '_is_kept') | list
        + ['source', 'namespace', '_load_id'] -%}
    (
    {%- for name in names %}
        select {{ columns | join(', ') }} from {{ ref(name) }}
        {{- " union all" if not loop.last }}
    {%- endfor %}
    )
{%- endmacro %}
