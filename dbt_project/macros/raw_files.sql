{#
    Staging reads accepted loads only, and each load once.

    `staging.processed_loads` records which loads a staging table holds, written in the very
    transaction that writes the table, so that a kill leaves both as they were. The file list is
    put into the SQL as literals because DuckDB prunes on nothing else (a subquery opens every
    file of the lake).

    A load that was processed and is no longer accepted (rejected afterwards, its source removed,
    its namespace changed, its file erased) cannot be subtracted, because its rows may have
    replaced older ones: the table is emptied and filled again from all accepted loads.

    A load that stands in a table's manifest (adr/0007) is read from the compacted file named
    there, which holds the rows of many loads, each with its `_load_id`; every other load from the
    files that carry its id in their names. ingestion/manifest.py reads by the same rule.
#}

{% macro create_processed_loads() -%}
    create schema if not exists staging;
    create table if not exists staging.processed_loads (
        model varchar not null,
        source varchar not null,
        namespace varchar not null,
        load_id varchar not null
    );
    alter table staging.processed_loads add column if not exists raw_table varchar;
{%- endmacro %}


{# One row per accepted load and file of a raw table: source, namespace, load_id, file. #}
{% macro accepted_files_sql(table) -%}
    select
        found.source,
        found.namespace,
        found.load_id,
        found.file
    from (
        select
            cast(null as varchar) as source,
            cast(null as varchar) as namespace,
            cast(null as varchar) as load_id,
            cast(null as varchar) as file
        where false
        {%- for source in var('sources') %}
        {%- set raw = (var('lake') ~ '/raw_' ~ source['name']) | replace("'", "''") %}
        {%- for name in raw_folders(table, source) %}
        {%- set compacted = raw ~ '/_compacted/' ~ name %}
        {%- set manifest %}
            (
                select unnest(
                    from_json(content, '[{"load_id":"VARCHAR","file":"VARCHAR"}]'),
                    recursive := true
                )
                from read_text('{{ compacted }}.json')
            )
        {%- endset %}
        union all
        select
            '{{ source["name"] }}' as source,
            '{{ source.get("namespace") or source["name"] }}' as namespace,
            load_id,
            file
        from (
            select load_id, '{{ compacted }}/' || file as file from {{ manifest }} as manifest
            union all
            select {{ load_id_of('file') }} as load_id, file
            from glob('{{ raw }}/{{ name }}/*.parquet')
            where load_id not in (select load_id from {{ manifest }} as manifest)
        ) as files
        {%- endfor %}
        {%- endfor %}
    ) as found
    inner join state.main.loads as loads
        on found.source = loads.source and found.load_id = loads.load_id
    where loads.verdict = 'accepted'
{%- endmacro %}


{# The load id in the name of a file as it landed: <load_id>.<file_id>.parquet. #}
{% macro load_id_of(file) -%}
    regexp_extract({{ file }}, '([^/]+)[.][^./]+[.]parquet$', 1)
{%- endmacro %}


{#
    The rows of one source's accepted loads, each with `_load_id`. `files` are rows of
    `accepted_files_sql`; a compacted file's rows of other loads are left out.
#}
{% macro rows_of_files(files) -%}
    {%- set places = {'landed': {}, 'compacted': {}} -%}
    {%- for file in files -%}
        {%- set kind = 'compacted' if '/_compacted/' in file['file'] else 'landed' -%}
        {%- do places[kind].setdefault(file['file'], []).append(file['load_id']) -%}
    {%- endfor -%}
    {%- for kind, found in places.items() if found -%}
        select
            {{ '*' if kind == 'compacted'
                else '* exclude (filename), ' ~ load_id_of('filename') ~ ' as _load_id' }}
        from read_parquet([
            {%- for file in found %}
            '{{ file | replace("'", "''") }}'{{ "," if not loop.last }}
            {%- endfor %}
        ], union_by_name = true{{ ', filename = true' if kind == 'landed' }})
        {%- if kind == 'compacted' %}
        where _load_id in ({% for file in found %}{% for load in found[file] %}'{{ load }}'
            {{- ', ' if not loop.last }}{% endfor %}{{ ', ' if not loop.last }}{% endfor %})
        {%- endif %}
        {{ 'union all by name ' if kind == 'landed' and places['compacted'] }}
    {% endfor -%}
{%- endmacro %}


{% macro has_withdrawn_loads(table) -%}
    {%- set query -%}
        select 1
        from staging.processed_loads as processed
        where processed.model = '{{ this.identifier }}'
            and not exists (
                select 1
                from ({{ accepted_files_sql(table) }}) as accepted
                where accepted.source = processed.source
                    and accepted.namespace = processed.namespace
                    and accepted.load_id = processed.load_id
            )
        limit 1
    {%- endset -%}
    {{ return(run_query(query).rows | length > 0) }}
{%- endmacro %}


{# The loads this run has to read and their files, in a fixed order. #}
{% macro files_to_read(table) -%}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {%- set query -%}
        select source, namespace, load_id, file
        from ({{ accepted_files_sql(table) }}) as accepted
        {%- if is_incremental() and not has_withdrawn_loads(table) %}
        where not exists (
            select 1
            from staging.processed_loads as processed
            where processed.model = '{{ this.identifier }}'
                and processed.source = accepted.source
                and processed.namespace = accepted.namespace
                and processed.load_id = accepted.load_id
        )
        {%- endif %}
        order by source, file, load_id
    {%- endset -%}
    {{ return(run_query(query).rows) }}
{%- endmacro %}


{# Rows of a raw table not yet in this staging table; typed and empty when there are none. #}
{% macro raw_files(table) -%}
    {%- set columns = raw_columns(table) -%}
    {%- set files = files_to_read(table) -%}
    {%- set sources = files | map(attribute=0) | unique | list %}
    select
        {%- for column, type in columns.items() %}
        cast(null as {{ type }}) as {{ column }},
        {%- endfor %}
        cast(null as varchar) as source,
        cast(null as varchar) as namespace,
        cast(null as varchar) as _load_id
    where false
    {%- for name in sources %}
    {%- set own = files | selectattr(0, 'equalto', name) | list %}
    union all
    select
        {%- for column, type in columns.items() %}
        cast({{ column }} as {{ type }}) as {{ column }},
        {%- endfor %}
        '{{ name }}' as source,
        '{{ own[0][1] }}' as namespace,
        _load_id
    from (
        -- The typed empty side gives a column that the files of an older release do not have.
        select
            {%- for column, type in columns.items() %}
            cast(null as {{ type }}) as {{ column }},
            {%- endfor %}
            cast(null as varchar) as _load_id
        where false
        union all by name
        {{ rows_of_files(own) }}
    ) as landed
    {%- endfor %}
{%- endmacro %}


{% macro forget_withdrawn_loads() -%}
    {%- if execute and is_incremental() and 'raw_table' in config.get('meta')
        and has_withdrawn_loads(config.get('meta')['raw_table']) -%}
        delete from {{ this }}
    {%- endif -%}
{%- endmacro %}


{# After any successful build the table holds exactly the accepted loads. #}
{% macro remember_processed_loads() -%}
    {%- if execute and 'raw_table' in config.get('meta') -%}
        delete from staging.processed_loads where model = '{{ this.identifier }}';
        insert into staging.processed_loads
        select distinct
            '{{ this.identifier }}',
            source,
            namespace,
            load_id,
            '{{ config.get("meta")["raw_table"] }}'
        from ({{ accepted_files_sql(config.get('meta')['raw_table']) }}) as accepted
    {%- endif -%}
{%- endmacro %}
