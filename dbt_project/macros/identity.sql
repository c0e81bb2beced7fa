{# Which identifier speaks for a record first: an account before an address before a device. #}
{% macro identifier_rank(column) -%}
    case {{ column }}
        when 'user_id' then 1
        when 'member_number' then 2
        when 'external_id' then 3
        when 'email' then 4
        when 'phone' then 5
        else 6
    end
{%- endmacro %}


{#
    What the identity ledger says now: the last word on each identifier. Null customer_id: it was
    unlinked and stands for nobody.
#}
{% macro last_links(ledger) -%}
    select
        identifier_type,
        namespace,
        identifier_value,
        customer_id,
        happened_at
    from (
        select
            identifier_type,
            namespace,
            identifier_value,
            customer_id,
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
