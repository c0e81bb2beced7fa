{#
    Which vendors' staging folders speak in our entities: `stg_<vendor>__<entity>` with the columns
    of the entity, beside `stg_entities__<entity>` that serves every files and sql source.
    Staging remembers deleted keys (`latest_rows`); a vendor's folder leaves them out itself, but
    for Shopify's, whose staging tables are the newest rows themselves.
#}
{% macro vendor_entities() -%}
    {{ return({
        'woocommerce': ['customers', 'orders', 'order_lines', 'payments', 'refunds', 'products'],
        'square': ['customers', 'orders', 'order_lines', 'payments', 'refunds', 'products',
            'stores'],
        'shopify': [
            'customers', 'products', 'stores', 'orders', 'order_lines', 'payments', 'refunds',
            'consents',
        ],
    }) }}
{%- endmacro %}


{#
    Whether a files or sql source maps the entity, or did and its rows are still in the lake; else
    its staging model is not built. Without any source (the project parsed alone) all are.
#}
{% macro is_staged(entity) -%}
    {%- set found = [] -%}
    {%- for source in var('sources') -%}
        {%- do found.extend(raw_folders(entity, source)) -%}
    {%- endfor -%}
    {{ return(found | length > 0 or not var('sources')) }}
{%- endmacro %}


{# Which staging models hold rows of an entity. #}
{% macro entity_models(entity) -%}
    {%- set kinds = var('sources') | map(attribute='kind') | unique | list -%}
    {%- set names = ['stg_entities__' ~ entity] if is_staged(entity) else [] -%}
    {%- for vendor, entities in vendor_entities().items() if vendor in kinds and entity in entities -%}
        {%- do names.append('stg_' ~ vendor ~ '__' ~ entity) -%}
    {%- endfor -%}
    {{ return(names) }}
{%- endmacro %}


{# Whether any source delivers the entity; a model leaves out what none does. #}
{% macro has_entity(entity) -%}
    {{ return(entity_models(entity) | length > 0) }}
{%- endmacro %}


{#
    Every staged row of an entity, whatever system it comes from, without the deleted ones: use it
    like a table. Typed and empty when none delivers it.
#}
{% macro entity_rows(entity) -%}
    {%- set names = entity_models(entity) -%}
    {%- set columns = raw_columns(entity).keys() | reject('in', ['_is_kept', '_is_deleted']) | list
        + ['source', 'namespace', '_load_id'] -%}
    (
    {%- if not names %}
        select
            {%- for column in columns %}
            cast(null as {{ raw_columns(entity).get(column, 'varchar') }}) as {{ column }}
            {{- "," if not loop.last }}
            {%- endfor %}
        where false
    {%- endif %}
    {%- for name in names %}
        select {{ columns | join(', ') }} from {{ ref(name) }} as held
        where {{ had_happened(happened_at(entity)) }}
            and {{ order_had_happened(entity, name, 'held') }}
        {{- " and not coalesce(_is_deleted, false)"
            if name.startswith('stg_entities__') or name.startswith('stg_shopify__') }}
        {%- if name == 'stg_entities__' ~ entity and goes_with_its_order(entity) %}
            and not {{ is_of_deleted_order('held') }}
        {%- endif %}
        {{- " union all" if not loop.last }}
    {%- endfor %}
    )
{%- endmacro %}


{#
    The same, a key of a namespace once: two sources of one namespace that deliver a key (a database
    and the export of its older years) speak of one thing, of which the later word counts.
#}
{% macro entity_rows_once(entity, key) -%}
    {%- if not is_told_twice(entity) -%} {{ entity_rows(entity) }}
    {%- else -%}
    (
        select *
        from (
            select
                *,
                row_number() over (
                    partition by namespace, {{ key }}
                    order by
                        {%- if 'updated_at' in raw_columns(entity) %} updated_at desc nulls last,
                        {%- endif %} source asc
                ) as version_rank
            from {{ entity_rows(entity) }} as told
        ) as ranked
        where version_rank = 1
    )
    {%- endif -%}
{%- endmacro %}


{# Whether two sources of one namespace deliver an entity. #}
{% macro is_told_twice(entity) -%}
    {%- set found = [] -%}
    {%- for source in var('sources') if raw_folders(entity, source)
        or entity in vendor_entities().get(source['kind'], []) -%}
        {%- do found.append(source.get('namespace') or source['name']) -%}
    {%- endfor -%}
    {{ return(found | length > found | unique | list | length) }}
{%- endmacro %}


{#
    Whether rows of an entity are gone where their order is deleted. Many exports mark a deleted
    order and leave its lines as they were.
#}
{% macro goes_with_its_order(entity) -%}
    {{ return(entity in ['order_lines', 'payments', 'refunds'] and is_staged('orders')) }}
{%- endmacro %}


{% macro is_of_deleted_order(relation) -%}
    exists (
        select 1
        from {{ ref('stg_entities__orders') }} as deleted
        where deleted._is_deleted
            and deleted.source = {{ relation }}.source
            and deleted.order_id = {{ relation }}.order_id
    )
{%- endmacro %}


{#
    A vendor's rows as rows of an entity: `columns` maps the entity's columns to expressions over
    `relation`, all others are null.
#}
{% macro as_entity(entity, relation, columns) -%}
    select
        {%- for name, type in raw_columns(entity).items()
            if name not in ['_is_kept', '_is_deleted', '_file', '_row'] %}
        cast({{ columns.get(name, 'null') }} as {{ type }}) as {{ name }},
        {%- endfor %}
        _file,
        _row,
        source,
        namespace,
        _load_id
    from {{ relation }}
{%- endmacro %}


{#
    `derived` of a vendor's staging table (`latest_rows`) so that it speaks an entity: what the
    vendor's words say, and typed nulls for the entity's columns that it has no word for.
#}
{% macro spoken_as(entity, table, words) -%}
    {%- set own = raw_columns(table) -%}
    {%- set derived = {} -%}
    {%- for column, type in raw_columns(entity).items() if column not in own -%}
        {%- do derived.update({
            column: words[column] if column in words else 'cast(null as ' ~ type ~ ')'
        }) -%}
    {%- endfor -%}
    {{ return(derived) }}
{%- endmacro %}
