{# Schemas carry exactly the names of the folders: staging, intermediate, identity, main. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
