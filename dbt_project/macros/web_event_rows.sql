{# Which vendors' web events a run has besides Segment's, whose staging is always there. #}
{% macro web_event_vendors() -%}
    {%- set kinds = var('sources') | map(attribute='kind') | list -%}
    {{ return(['snowplow', 'ga4'] | select('in', kinds) | list) }}
{%- endmacro %}


{#
    Every staged web event, whatever vendor collected it: use it like a table. A vendor's staging
    `stg_<vendor>__events` has these columns, with event names in the words of Segment's
    e-commerce spec, so that a new vendor touches no int model. `event_number` tells events apart
    within one query, for joins on less than two texts.
#}
{% macro web_event_rows() -%}
    {%- set vendors = ['segment'] + web_event_vendors() -%}
    (
    {%- for vendor in vendors %}
        {%- set staged = ref('stg_' ~ vendor ~ '__events') %}
        select
            {{ row_number_in(staged, "source || ':' || message_id", loop.index0, vendors | length) }}
                as event_number,
            source, namespace, message_id, type, event, anonymous_id, user_id, previous_id,
            occurred_at, received_at, trait_email, trait_phone, product_id, product_name, category,
            cart_id, order_id, search_text, price, quantity, total, page_path, page_url, referrer,
            utm_source, utm_medium, utm_campaign, device_id, device_type, locale
        from {{ staged }}
        {{- " union all" if not loop.last }}
    {%- endfor %}
    )
{%- endmacro %}


{# A column of one product for an event that names several: their units, and their mean price. #}
{% macro item_units(items, quantity='quantity') -%}
    try_cast({{ json_total(items, quantity) }} as decimal(18, 4))
{%- endmacro %}
{% macro item_price(items, price='price', quantity='quantity') -%}
    try_cast({{ json_total(items, quantity, price) }}
        / nullif({{ json_total(items, quantity) }}, 0) as decimal(18, 4))
{%- endmacro %}
