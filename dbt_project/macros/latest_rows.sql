{#
    A staging table: the newest version of each row of a raw table, one per source and key.

    The newest is decided by the row itself (`order_by`), then load, file and row, never by the
    order in which loads were processed: the versions already held take part, so that a load
    accepted late changes only what it is newer for. Rows that the source's declared filter
    refuses (`_is_kept` false) are as if they had never been delivered. A tombstone (`_is_deleted`)
    is a version like any other: it stays in the table, so that a version that is older and comes
    later does not bring the key back, and readers leave it out (`entity_rows`).

    `derived` adds key columns that the raw table does not have: name -> (type, expression).
#}
{% macro latest_rows(table, keys, order_by, derived={}) -%}
    {%- set columns = raw_columns(table) -%}
    {%- set names = columns.keys() | reject('equalto', '_is_kept') | list
        + derived.keys() | list + ['source', 'namespace', '_load_id'] -%}
    {#- Without a row number every column breaks the tie: equal rows are then the same row. -#}
    {%- set ties = ['_file', '_row'] if '_row' in columns else columns.keys() -%}
    {#- A column that a release adds is appended to the table after this query ran. -#}
    {%- set held = held_columns(names) if is_incremental() else [] -%}
with landed as (
    {{ raw_files(table) }}
),

incoming as (
    select
        {%- for name, expression in derived.items() %}
        {{ expression }} as {{ name }},
        {%- endfor %}
        landed.*
    from landed
),

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
    from {{ this }} as held
    {#- A join and no `exists`, which DuckDB answers ten times slower on a table of years. #}
    inner join (
        select distinct source, {{ keys | join(', ') }}
        from incoming
    ) as asked
        on held.source = asked.source
        {%- for key in keys %}
        and held.{{ key }} = asked.{{ key }}
        {%- endfor %}
    {%- endif %}
),

ranked as (
    select
        *,
        row_number() over (
            partition by source, {{ keys | join(', ') }}
            order by
                {%- for column in order_by %}
                {{ column }} desc nulls last,
                {%- endfor %}
                _load_id desc nulls last
                {%- for column in ties %},
                {{ column }} desc nulls last
                {%- endfor %}
        ) as version_rank
    from kept
)

select
    {%- for name in names %}
    {{ name }}{{ "," if not loop.last }}
    {%- endfor %}
from ranked
where version_rank = 1
{%- endmacro %}


{# Which of the names the staging table has; all of them where a unit test stands in for it. #}
{% macro held_columns(names) -%}
    {%- if this is string or not execute -%}
        {{ return(names) }}
    {%- endif -%}
    {{ return(adapter.get_columns_in_relation(this) | map(attribute='name') | list) }}
{%- endmacro %}
