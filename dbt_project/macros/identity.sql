{# Which identifier speaks for a record first: an account before an address before a device. #}
{% macro identifier_rank(column) -%}
    case {{ column }}
        when 'user_id' then 1
        when 'member_number' then 2
        when 'external_id' then 3
        when 'record' then 4
        when 'email' then 5
        when 'phone' then 6
        else 7
    end
{%- endmacro %}


{#
    Patterns of values that name nobody, as rows of identifier_type, pattern and reason, each a
    literal: they become part of the SQL, because a pattern out of a table is read anew for every
    value. The seed is named by its node: in a unit test its `ref` would be a fixture.
#}
{% macro blocked_patterns() -%}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {%- set file = config_csv('blocked_identifiers') -%}
    {%- set query -%}
        select distinct
            {{ quoted('identifier_type') }} as identifier_type,
            {{ quoted('pattern') }} as pattern,
            {{ quoted("'pattern:' || reason") }} as reason
        from {{ file or graph.nodes['seed.khach.blocked_identifiers'].relation_name }} as patterns
        where patterns.pattern <> ''
        order by 1, 2, 3
    {%- endset -%}
    {{ return(run_query(query).rows) }}
{%- endmacro %}


{# The namespace in which a record's number of this type counts: `namespaces` of its source. #}
{% macro issuing_namespace(type, of='') -%}
    {%- set told = [] -%}
    {%- set of = of ~ '.' if of else '' -%}
    {%- for source in var('sources') if type in (source.get('namespaces') or {}) -%}
        {%- do told.append("when '" ~ source.name ~ "' then '" ~ source.namespaces[type] ~ "'") -%}
    {%- endfor -%}
    {%- set own = of ~ 'namespace' -%}
    {{ return('case ' ~ of ~ 'source ' ~ told | join(' ') ~ ' else ' ~ own ~ ' end' if told else own) }}
{%- endmacro %}


{# The id that the ledger keeps as a number: C0000001 for 1, null for null. #}
{% macro customer_id_of(number) -%}
    'C' || case
        when {{ number }} < 10000000 then lpad(cast({{ number }} as varchar), 7, '0')
        else cast({{ number }} as varchar)
    end
{%- endmacro %}


{#
    What the identity ledger says now: the last word on each identifier. Null customer_number: it
    was unlinked and stands for nobody.
#}
{% macro last_links(ledger) -%}
    select
        identifier_type,
        namespace,
        identifier_value,
        customer_number,
        happened_at
    from (
        select
            identifier_type,
            namespace,
            identifier_value,
            customer_number,
            happened_at,
            row_number() over (
                partition by identifier_type, namespace, identifier_value
                order by event_number desc nulls last
            ) as recency
        from {{ ledger }}
        where event in ('linked', 'unlinked')
    ) as links
    where recency = 1
{%- endmacro %}


{# The full name a customer record gives, whole or in parts, in the order of its country. #}
{% macro told_name() -%}
    coalesce(
        nullif(trim(full_name), ''),
        {{ name_in_order('given_name', 'family_name', 'country') }}
    )
{%- endmacro %}


{# A full name of two parts, in the order of its country; of the retailer's where none is told. #}
{% macro name_in_order(given, family, country) -%}
    nullif(trim(case
        when coalesce(nullif({{ country }}, ''), '{{ var("default_country") }}') = 'VN'
            then concat_ws(' ', {{ family }}, {{ given }})
        else concat_ws(' ', {{ given }}, {{ family }})
    end), '')
{%- endmacro %}


{# What identity.yml says of a type of identifier. #}
{% macro identifier_rule(identifier_type, key) -%}
    {{ return(var('identity')['identifiers'][identifier_type][key]) }}
{%- endmacro %}


{#
    Whether two holders of one e-mail address or number can be one person: names at most one letter
    apart, or three where both tell the same birth date, their words in another order, or one name
    with words that the other leaves out (a middle name, a title); birth dates more than one digit
    apart never are, nor names that siblings bear.
#}
{% macro same_person(left, right) -%}
    (
        ({{ left }}.birth_date is null or {{ right }}.birth_date is null
            or levenshtein(
                cast({{ left }}.birth_date as varchar), cast({{ right }}.birth_date as varchar)
            ) <= 1)
        and (
            {{ left }}.sorted_name = {{ right }}.sorted_name
            or {{ words_within(left ~ '.folded_name', right ~ '.folded_name') }}
            or {{ words_within(right ~ '.folded_name', left ~ '.folded_name') }}
            or levenshtein({{ left }}.folded_name, {{ right }}.folded_name)
                <= case when {{ left }}.birth_date = {{ right }}.birth_date then 3 else 1 end
        )
        and not {{ are_siblings_names(left, right) }}
    )
{%- endmacro %}


{#
    Hoàng Như Hoài and Hoàng Hoài Như: nobody's name is written both ways, since who writes one in
    another order (Hoài Hoàng Như, Như Hoài Hoàng) moves the family's word; parents name sisters so.
#}
{% macro are_siblings_names(left, right) -%}
    ({{ left }}.sorted_name = {{ right }}.sorted_name
        and {{ left }}.folded_name <> {{ right }}.folded_name
        and {{ dbt.split_part(left ~ '.folded_name', "' '", 1) }}
            = {{ dbt.split_part(right ~ '.folded_name', "' '", 1) }})
{%- endmacro %}


{#
    Whether two names beside one value that are not the same may still be one person's, misspelt or
    cut short: what one has and the other has not is alike, or one of them is a single word.
#}
{% macro may_be_one_person(left, right) -%}
    (
        ({{ left }}.birth_date is null or {{ right }}.birth_date is null
            or levenshtein(
                cast({{ left }}.birth_date as varchar), cast({{ right }}.birth_date as varchar)
            ) <= 2)
        and (
            {{ left }}.sorted_name = {{ right }}.sorted_name
            or {{ left }}.folded_name not like '% %'
            or {{ right }}.folded_name not like '% %'
            or ({{ misspelt_words(
                words_beside(left ~ '.folded_name', right ~ '.folded_name'),
                words_beside(right ~ '.folded_name', left ~ '.folded_name')
            ) }})
        )
        and not {{ are_siblings_names(left, right) }}
    )
{%- endmacro %}


{# Much the same letters in much the same order; in several words more of that is chance. #}
{% macro misspelt_words(one, other) -%}
    jaro_similarity({{ one }}, {{ other }})
        >= case when ({{ one }} || {{ other }}) like '% %' then 0.8 else 0.65 end
{%- endmacro %}


{# Whether a record says what few people have in common, be it without a name. #}
{% macro tells_a_person(record) -%}
    ({{ record }}.birth_date is not null or {{ record }}.birth_date_text <> ''
        or {{ record }}.national_id <> '')
{%- endmacro %}


{# How much a type of identifier is worth as evidence; a record itself as much as its account. #}
{% macro identifier_strength(column) -%}
    case {{ column }}
        {%- for type, rule in var('identity')['identifiers'].items() %}
        when '{{ type }}' then {{ rule['strength'] }}
        {%- endfor %}
        else 100
    end
{%- endmacro %}


{# Names beside one value from which on nobody compares them: it is no family's. #}
{% macro most_names_compared() -%}20{%- endmacro %}


{#
    An address as it is matched. With `gmail_rules` dots and what follows a plus say nothing in a
    Gmail address (support.google.com/mail, "Dots don't matter in Gmail addresses").
#}
{% macro matched_email(column) -%}
    {%- if not var('identity')['gmail_rules'] -%}
    {{ column }}
    {%- else -%}
    case when {{ column }} like '%@gmail.com' or {{ column }} like '%@googlemail.com'
        then replace({{ dbt.split_part(dbt.split_part(column, "'@'", 1), "'+'", 1) }}, '.', '')
            || '@gmail.com'
        else {{ column }}
    end
    {%- endif -%}
{%- endmacro %}
