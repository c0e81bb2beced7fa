{#
    A staging table: the newest version of each row of a raw table, one per source and key.

    The newest is decided by the row itself (`order_by`), then load, file and row, never by the
    order in which loads were processed: the versions already held take part, so that a load
    accepted late changes only what it is newer for. Rows that the source's declared filter
    refuses (`_is_kept` false) are as if they had never been delivered. A tombstone (`_is_deleted`)
    is a version like any other: it stays in the table, so that a version that is older and comes
    later does not bring the key back, and readers leave it out (`entity_rows`).

    `derived` adds columns that the raw table does not have: name -> expression. `documents` are
    JSON columns of which many texts are wanted, column -> paths: each is read once, and
    `document_text(documents, column, path)` is an expression for `derived`. The documents
    themselves stay in the lake.
#}
{% macro latest_rows(table, keys, order_by, derived={}, documents={}) -%}
    {%- set columns = raw_columns(table) -%}
    {%- set names = columns.keys() | reject('in', ['_is_kept'] + documents.keys() | list) | list
        + derived.keys() | list + ['source', 'namespace', '_load_id'] -%}
    {#- Without a row number every column breaks the tie: equal rows are then the same row. -#}
    {%- set ties = ['_file', '_row'] if '_row' in columns else columns.keys() -%}
    {#- A column that a release adds is appended to the table after this query ran. -#}
    {%- set held = held_columns(names) if is_incremental() else [] -%}
    {#- All at once, few keys have several versions: only they are ranked, and before all else. -#}
    {%- set is_narrow = not is_incremental()
        and (keys + order_by) | reject('in', columns.keys() | list + ['_load_id']) | list == [] -%}
with landed as {{ 'not materialized ' if is_narrow }}(
    {{ raw_files(table) }}
),

{% if is_narrow -%}
{{ newest_landed(columns, keys, order_by, ties) }},

{% endif -%}
{%- set rows = 'newest' if is_narrow else 'landed' -%}
opened as (
    select
        {%- for column, paths in documents.items() %}
        {{ json_texts(column, paths) }} as {{ column }}_texts,
        {%- endfor %}
        {{ rows }}.*
    from {{ rows }}
),

incoming as (
    select
        {%- for name, expression in derived.items() %}
        {{ expression }} as {{ name }},
        {%- endfor %}
        opened.*
    from opened
)
{%- if is_narrow %}

select
    {%- for name in names %}
    {{ name }}{{ "," if not loop.last }}
    {%- endfor %}
from incoming
{%- else %},

kept as (
    select
        {%- for name in names %}
        {{ name }}{{ "," if not loop.last }}
        {%- endfor %}
    from incoming
    {%- if '_is_kept' in columns %}
    where coalesce(_is_kept, true)
    {%- endif %}
    {%- if is_incremental() %}
    union all
    select
        {%- for name in names %}
        {{ 'held.' ~ name if name in held else 'cast(null as ' ~ columns[name] ~ ') as ' ~ name }}
        {{- "," if not loop.last }}
        {%- endfor %}
    from {{ rows_with_keys(this, 'held', ['source'] + keys, 'incoming') }}
    {%- endif %}
),

ranked as (
    select
        *,
        row_number() over (
            partition by source, {{ keys | join(', ') }}
            order by {{ newest_first(order_by, ties) }}
        ) as version_rank
    from kept
)

select
    {%- for name in names %}
    {{ name }}{{ "," if not loop.last }}
    {%- endfor %}
from ranked
where version_rank = 1
{%- endif %}
{%- endmacro %}


{# The CTE `newest`: of every key in `landed` its newest kept version. #}
{% macro newest_landed(columns, keys, order_by, ties) -%}
{%- set names = columns.keys() | list + ['source', 'namespace', '_load_id'] -%}
{#- Read anew each time, like `landed`: most of what a row says is wanted once, and all of it together
    would not fit into memory. #}
offered as not materialized (
    select * from landed
    {%- if '_is_kept' in columns %}
    where coalesce(_is_kept, true)
    {%- endif %}
),

repeated as (
    select source, {{ keys | join(', ') }}
    from offered
    group by source, {{ keys | join(', ') }}
    having count(*) > 1
),

versions as (
    select
        offered.*,
        row_number() over (
            partition by offered.source, offered.{{ keys | join(', offered.') }}
            order by {{ newest_first(order_by, ties, 'offered.') }}
        ) as version_rank
    from offered
    inner join repeated
        on {{ is_same_key(keys, 'offered', 'repeated') }}
),

newest as (
    select {{ names | join(', ') }} from versions
    where version_rank = 1
    union all
    select offered.{{ names | join(', offered.') }}
    from offered
    left join repeated
        on {{ is_same_key(keys, 'offered', 'repeated') }}
    where repeated.source is null
)
{%- endmacro %}


{# What makes a version newer: the row itself, then load, file and row. #}
{% macro newest_first(order_by, ties, prefix='') -%}
{%- for column in order_by + ['_load_id'] + ties | list -%}
{{ prefix }}{{ column }} desc nulls last{{ ', ' if not loop.last }}
{%- endfor -%}
{%- endmacro %}


{% macro is_same_key(keys, left, right) -%}
{{ left }}.source = {{ right }}.source
{%- for key in keys %}
        and {{ left }}.{{ key }} is not distinct from {{ right }}.{{ key }}
{%- endfor -%}
{%- endmacro %}


{# A text of a document that `latest_rows` has opened: as json_text. #}
{% macro document_text(documents, column, path) -%}
{{ text_at(column ~ '_texts', documents[column].index(path)) }}
{%- endmacro %}


{# Which of the names the staging table has; all of them where a unit test stands in for it. #}
{% macro held_columns(names) -%}
    {%- if this is string or not execute -%}
        {{ return(names) }}
    {%- endif -%}
    {{ return(adapter.get_columns_in_relation(this) | map(attribute='name') | list) }}
{%- endmacro %}


{# Likewise a number; null when it is none. #}
{% macro document_number(documents, column, path) -%}
try_cast({{ document_text(documents, column, path) }} as decimal(18, 4))
{%- endmacro %}
