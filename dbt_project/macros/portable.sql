{#
    The only places where engines differ (docs/portable-sql.md). A second engine gets its own
    prefix here and no model changes.
#}

{% macro parse_ts(expression) -%}
    {{ return(adapter.dispatch('parse_ts')(expression)) }}
{%- endmacro %}
{# A naive UTC timestamp, null when the text is none. #}
{% macro duckdb__parse_ts(expression) -%}
    try_cast({{ expression }} as timestamp)
{%- endmacro %}


{% macro business_date(expression) -%}
    {{ return(adapter.dispatch('business_date')(expression)) }}
{%- endmacro %}
{# The day of a UTC timestamp in the business time zone. #}
{% macro duckdb__business_date(expression) -%}
    cast(
        timezone('{{ var("business_time_zone") }}', timezone('UTC', {{ expression }})) as date
    )
{%- endmacro %}


{% macro business_hour(expression) -%}
    {{ return(adapter.dispatch('business_hour')(expression)) }}
{%- endmacro %}
{# The hour (0-23) of a UTC timestamp in the business time zone. #}
{% macro duckdb__business_hour(expression) -%}
    cast(
        extract(
            hour from timezone('{{ var("business_time_zone") }}', timezone('UTC', {{ expression }}))
        ) as integer
    )
{%- endmacro %}


{% macro iso_dow(expression) -%}
    {{ return(adapter.dispatch('iso_dow')(expression)) }}
{%- endmacro %}
{# Monday 1 to Sunday 7. #}
{% macro duckdb__iso_dow(expression) -%}
    cast(isodow({{ expression }}) as integer)
{%- endmacro %}


{% macro json_text(expression, path) -%}
    {{ return(adapter.dispatch('json_text')(expression, path)) }}
{%- endmacro %}
{# The text at a path such as 'page.url' or '[0].code'; null when absent, empty or JSON null. #}
{% macro duckdb__json_text(expression, path) -%}
    nullif({{ expression }} ->> '${{ '' if path[0] == '[' else '.' }}{{ path }}', '')
{%- endmacro %}


{% macro json_texts(expression, paths) -%}
    {{ return(adapter.dispatch('json_texts')(expression, paths)) }}
{%- endmacro %}
{# The texts at several paths, in their order: the JSON is read once for all of them. #}
{% macro duckdb__json_texts(expression, paths) -%}
    json_extract_string({{ expression }}, ['$.{{ paths | join("', '$.") }}'])
{%- endmacro %}


{% macro text_at(texts, place) -%}
    {{ return(adapter.dispatch('text_at')(texts, place)) }}
{%- endmacro %}
{# One of them, the first at place 0; null as json_text. #}
{% macro duckdb__text_at(texts, place) -%}
    nullif({{ texts }}[{{ place + 1 }}], '')
{%- endmacro %}


{% macro json_elements(expression) -%}
    {{ return(adapter.dispatch('json_elements')(expression)) }}
{%- endmacro %}
{# One row for each element of a JSON array, as JSON; no row for an empty one. #}
{% macro duckdb__json_elements(expression) -%}
    unnest(cast(cast({{ expression }} as json) as json[]))
{%- endmacro %}


{% macro rx_like(expression, pattern) -%}
    {{ return(adapter.dispatch('rx_like')(expression, pattern)) }}
{%- endmacro %}
{# Whether the pattern occurs in the text. #}
{% macro duckdb__rx_like(expression, pattern) -%}
    regexp_matches({{ expression }}, '{{ pattern }}')
{%- endmacro %}


{% macro rx_replace(expression, pattern, replacement) -%}
    {{ return(adapter.dispatch('rx_replace')(expression, pattern, replacement)) }}
{%- endmacro %}
{# Every occurrence of the pattern replaced. #}
{% macro duckdb__rx_replace(expression, pattern, replacement) -%}
    regexp_replace({{ expression }}, '{{ pattern }}', '{{ replacement }}', 'g')
{%- endmacro %}


{% macro rx_extract(expression, pattern, group) -%}
    {{ return(adapter.dispatch('rx_extract')(expression, pattern, group)) }}
{%- endmacro %}
{# The numbered group of the first occurrence, null when there is none. #}
{% macro duckdb__rx_extract(expression, pattern, group) -%}
    nullif(regexp_extract({{ expression }}, '{{ pattern }}', {{ group }}), '')
{%- endmacro %}


{% macro sha256(expression) -%}
    {{ return(adapter.dispatch('sha256')(expression)) }}
{%- endmacro %}
{# Lower-case hex. #}
{% macro duckdb__sha256(expression) -%}
    sha256({{ expression }})
{%- endmacro %}


{% macro seconds_between(earlier, later) -%}
    {{ return(adapter.dispatch('seconds_between')(earlier, later)) }}
{%- endmacro %}
{# Whole seconds from one timestamp to another (dbt.datediff counts boundaries, not time). #}
{% macro duckdb__seconds_between(earlier, later) -%}
    date_sub('second', {{ earlier }}, {{ later }})
{%- endmacro %}


{% macro plus_minutes(expression, minutes) -%}
    {{ return(adapter.dispatch('plus_minutes')(expression, minutes)) }}
{%- endmacro %}
{# The timestamp so many minutes later. #}
{% macro duckdb__plus_minutes(expression, minutes) -%}
    cast({{ expression }} + interval ({{ minutes }}) minute as timestamp)
{%- endmacro %}


{% macro fold_text(expression) -%}
    {{ return(adapter.dispatch('fold_text')(expression)) }}
{%- endmacro %}
{# Lower case, no accents, single spaces: the same name however it was typed, with the letter
    U+00D0 that looks like U+0110, too. #}
{% macro duckdb__fold_text(expression) -%}
    trim(regexp_replace(
        translate(lower(strip_accents({{ expression }})), 'đð', 'dd'), '[^a-z0-9]+', ' ', 'g'
    ))
{%- endmacro %}


{% macro json_first(expression, path) -%}
    {{ return(adapter.dispatch('json_first')(expression, path)) }}
{%- endmacro %}
{# The text at a path in the first item of a JSON array; null as json_text. #}
{% macro duckdb__json_first(expression, path) -%}
    nullif({{ expression }} ->> '$[0].{{ path }}', '')
{%- endmacro %}


{% macro json_total(expression, quantity, price=none) -%}
    {{ return(adapter.dispatch('json_total')(expression, quantity, price)) }}
{%- endmacro %}
{# Over the items of a JSON array, the sum of quantity (1 when not said), or of quantity x price. #}
{% macro duckdb__json_total(expression, quantity, price=none) -%}
    list_sum(list_transform(json_extract({{ expression }}, '$[*]'), lambda item:
        coalesce(try_cast(item ->> '$.{{ quantity }}' as decimal(18, 4)), 1)
        {%- if price %} * try_cast(item ->> '$.{{ price }}' as decimal(18, 4)){% endif %}))
{%- endmacro %}


{% macro json_param(expression, key) -%}
    {{ return(adapter.dispatch('json_param')(expression, key)) }}
{%- endmacro %}
{# The value, as text, of a key in an array of {key, value {string_value, int_value, ...}}. #}
{% macro duckdb__json_param(expression, key) -%}
    nullif(list_filter(
        json_extract_string(list_filter(
            json_extract({{ expression }}, '$[*]'), lambda item: (item ->> '$.key') = '{{ key }}'
        )[1], ['$.value.string_value', '$.value.int_value', '$.value.double_value',
            '$.value.float_value']),
        lambda value: value is not null)[1], '')
{%- endmacro %}


{% macro json_item(expression, position) -%}
    {{ return(adapter.dispatch('json_item')(expression, position)) }}
{%- endmacro %}
{# The text at a position (from 0) of a JSON array; null when it is shorter. #}
{% macro duckdb__json_item(expression, position) -%}
    nullif({{ expression }} ->> '$[{{ position }}]', '')
{%- endmacro %}


{% macro json_sum(expression, path) -%}
    {{ return(adapter.dispatch('json_sum')(expression, path)) }}
{%- endmacro %}
{# The sum of the amounts at a path of each element of a JSON array; 0 for none. #}
{% macro duckdb__json_sum(expression, path) -%}
    coalesce(cast(list_sum(cast(
        json_extract_string({{ expression }}, '$[*].{{ path }}') as decimal(18, 4)[]
    )) as decimal(18, 4)), 0)
{%- endmacro %}


{# A folded name with its words in alphabetical order. #}
{% macro sorted_words(expression) -%}
    {{ return(adapter.dispatch('sorted_words')(expression)) }}
{%- endmacro %}
{% macro duckdb__sorted_words(expression) -%}
    array_to_string(list_sort(string_split({{ expression }}, ' ')), ' ')
{%- endmacro %}


{# Whether a folded name of two words at least is another one with words left out. #}
{% macro words_within(shorter, longer) -%}
    {{ return(adapter.dispatch('words_within')(shorter, longer)) }}
{%- endmacro %}
{% macro duckdb__words_within(shorter, longer) -%}
    ({{ shorter }} like '% %'
        and list_has_all(string_split({{ longer }}, ' '), string_split({{ shorter }}, ' ')))
{%- endmacro %}


{% macro json_pairs(expression) -%}
    {{ return(adapter.dispatch('json_pairs')(expression)) }}
{%- endmacro %}
{# One row for each key of a JSON object: a struct of `key` and `value`, texts; none for no object. #}
{% macro duckdb__json_pairs(expression) -%}
    unnest(map_entries(try_cast(try_cast({{ expression }} as json) as map(varchar, varchar))))
{%- endmacro %}


{% macro listed(expression) -%}
    {{ return(adapter.dispatch('listed')(expression)) }}
{%- endmacro %}
{# The texts of a group in alphabetical order, with commas between. #}
{% macro duckdb__listed(expression) -%}
    string_agg({{ expression }}, ', ' order by {{ expression }})
{%- endmacro %}


{# The words of one text that another one has not, in their order. #}
{% macro words_beside(one, other) -%}
    {{ return(adapter.dispatch('words_beside')(one, other)) }}
{%- endmacro %}
{% macro duckdb__words_beside(one, other) -%}
    array_to_string(list_filter(
        string_split({{ one }}, ' '),
        lambda word: not list_contains(string_split({{ other }}, ' '), word)
    ), ' ')
{%- endmacro %}


{% macro rows_with_keys(relation, alias, keys, asked) -%}
    {{ return(adapter.dispatch('rows_with_keys')(relation, alias, keys, asked)) }}
{%- endmacro %}
{# What follows `from`: the rows of a large table, of which `asked` has the keys. #}
{% macro default__rows_with_keys(relation, alias, keys, asked) -%}
{{ relation }} as {{ alias }}
    inner join (select distinct {{ keys | join(', ') }} from {{ asked }}) as asked
        on {% for key in keys %}{{ 'and ' if not loop.first }}{{ alias }}.{{ key }} = asked.{{ key }}
        {% endfor %}
{%- endmacro %}
{# Few rows wherever they lie: the keys alone are read of all. A plain join reads every column, two
    to three times as long on a table of years; `exists` takes ten times as long as the join. #}
{% macro duckdb__rows_with_keys(relation, alias, keys, asked) -%}
{%- if relation is string -%} {#- a unit test's rows have no number #}
{{ default__rows_with_keys(relation, alias, keys, asked) }}
{%- else -%}
{{ relation }} as {{ alias }}
    where {{ alias }}.rowid in (
        select found.rowid
        from {{ default__rows_with_keys(relation, 'found', keys, asked) }}
    )
{%- endif -%}
{%- endmacro %}


{% macro row_number_in(relation, key, index, count) -%}
    {{ return(adapter.dispatch('row_number_in')(relation, key, index, count)) }}
{%- endmacro %}
{# What tells the rows of `count` tables apart within one query, this one being table `index`. #}
{% macro default__row_number_in(relation, key, index, count) -%}
{{ key }}
{%- endmacro %}
{# A number, where the engine has one: joins of many rows then need no texts. #}
{% macro duckdb__row_number_in(relation, key, index, count) -%}
{{ key if relation is string else 'rowid * ' ~ count ~ ' + ' ~ index }}
{%- endmacro %}
