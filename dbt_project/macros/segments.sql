{#
    The kinds of segments that exclude one another: every customer is in exactly one of each, whose
    id is `<segment_kind>_<value of the column>`. The values of an open kind are the retailer's own
    words; the others' are all in the seed `segment_definitions`.
#}
{% macro exclusive_kinds() -%}
    {{ return({
        'lifecycle': {'column': 'lifecycle_stage'},
        'rfm': {'column': 'rfm_segment'},
        'generation': {'column': 'generation'},
        'gender': {'column': 'gender'},
        'age_band': {'column': 'age_band'},
        'marital_status': {'column': 'marital_status', 'open': 'demographic'},
        'occupation': {'column': 'occupation', 'open': 'demographic'},
        'income_band': {'column': 'income_band', 'open': 'demographic'},
        'country': {'column': 'country', 'open': 'geographic'},
        'province': {'column': 'province', 'open': 'geographic'},
        'ward': {'column': 'ward_group', 'open': 'geographic'},
        'store': {'column': 'store_affinity', 'open': 'geographic'},
        'category': {'column': 'category_affinity', 'open': 'behavioural'},
        'channel': {'column': 'preferred_channel', 'open': 'behavioural'},
    }) }}
{%- endmacro %}


{#
    The seed's segments and those of the retailer's segments.csv, which wins: use it like a table.
    A segment without segment_kind is a flag: its rule alone says who is in.
#}
{% macro segment_definitions(seed) -%}
    {%- set columns = 'segment_id, segment_name, label_vi, kind, description, rule, owner' -%}
    {%- set own = config_csv('segments') -%}
    (
        select {{ columns }}, coalesce(segment_kind, segment_id) as segment_kind,
            segment_kind is not null as is_exclusive
        from {{ seed }}
        {%- if own %}
        where segment_id not in (select segment_id from {{ own }})
        union all
        select {{ columns }}, segment_id, false
        from {{ own }}
        {%- endif %}
    )
{%- endmacro %}


{#
    The flags as rows of segment_id, kind and rule. Rules become part of the SQL, so they are read
    when it is made; a model that asks depends on the seed. The seed is named by its node: in a unit
    test its `ref` would be a fixture.
#}
{% macro segment_flags() -%}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {%- set seed = graph.nodes['seed.khach.segment_definitions'].relation_name -%}
    {%- set query -%}
        select segment_id, kind, rule
        from {{ segment_definitions(seed) }} as definitions
        where not is_exclusive
        order by segment_id
    {%- endset -%}
    {{ return(run_query(query).rows) }}
{%- endmacro %}


{#
    What the flags' rules compare: `rows` with segment_id, measure, comparison and limit, one for
    each part `<column> >= <threshold>` of a rule whose parts `and` connects, and all `columns`.
#}
{% macro evidence_terms(flags) -%}
    {%- set terms = {'rows': [], 'columns': []} -%}
    {%- for flag in flags -%}
        {%- for part in flag['rule'].split(' and ') -%}
            {%- set term = modules.re.fullmatch(
                '([a-z][a-z0-9_]*) (>=|<=|>|<|=) ([a-z0-9_.]+)', part | trim) -%}
            {%- if term -%}
                {%- do terms['rows'].append({
                    'segment_id': flag['segment_id'], 'measure': term.group(1),
                    'comparison': term.group(2), 'limit': term.group(3),
                }) -%}
                {%- for name in [term.group(1), term.group(3)]
                    if name not in terms['columns'] and name[0] not in '0123456789.' -%}
                    {%- do terms['columns'].append(name) -%}
                {%- endfor -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(terms) }}
{%- endmacro %}


{#
    Who changed in a kind after its history's first day, or was corrected: few. Everybody else has
    one row, and no window over millions of them is needed to know it.
#}
{% macro moved_since_the_first_day(history, has_corrections=true) -%}
    select distinct segment_kind, customer_id
    from {{ history }}
    where changed_on > (select min(changed_on) from {{ history }})
        {{- ' or sequence_number > 1' if has_corrections }}
{%- endmacro %}


{# The value in a segment's id: folded, with underscores; a script that folds to nothing hashed. #}
{% macro segment_slug(value) -%}
    coalesce(
        nullif(replace({{ fold_text(value) }}, ' ', '_'), ''),
        substr({{ sha256(value) }}, 1, 8)
    )
{%- endmacro %}


{# A text as an SQL literal within the result of a query. #}
{% macro quoted(expression) -%}
    '''' || replace({{ expression }}, '''', '''''') || ''''
{%- endmacro %}
