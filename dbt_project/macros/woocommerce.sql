{# The name on an address, in the order in which its country writes names. #}
{% macro woocommerce_name(address) -%}
    {%- set first = json_text(address, 'first_name') -%}
    {%- set last = json_text(address, 'last_name') -%}
    {{ name_in_order(first, last, json_text(address, 'country')) }}
{%- endmacro %}


{# The state of an address, or its city where the country has no states. #}
{% macro woocommerce_province(address) -%}
    coalesce({{ json_text(address, 'state') }}, {{ json_text(address, 'city') }})
{%- endmacro %}
