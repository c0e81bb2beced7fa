-- A table is built again within one transaction: readers of the file see the old one or the new
-- one, and a killed build leaves the old one. The adapter's own way builds beside it, renames both
-- and drops the old one in a further transaction, which is half of the time of a small model.
{% materialization table, adapter="duckdb", supported_languages=["sql", "python"] %}
    {%- set target = this.incorporate(type="table") -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set language = model["language"] -%}
    {# A Python model writes on a connection of its own, which our transaction would shut out. #}
    {%- set built = target if language == "sql" else make_intermediate_relation(target) -%}
    {% if built != target %}
        {% call statement("left_by_a_kill", auto_begin=False) %}
            drop table if exists {{ built }}
        {% endcall %}
    {% endif %}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% if built != target %}
        {% call statement("main", language=language) %}
            {{- create_table_as(False, built, compiled_code, language) }}
        {% endcall %}
    {% endif %}
    {% if existing is not none %}
        {% call statement("old") %} drop {{ existing.type }} if exists {{ this }} {% endcall %}
    {% endif %}
    {% if built != target %}
        {% call statement("new") %}
            alter table {{ built }} rename to {{ adapter.quote(target.identifier) }}
        {% endcall %}
    {% else %}
        {% call statement("main", language=language) %}
            {{- create_table_as(False, target, compiled_code, language) }}
        {% endcall %}
    {% endif %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do persist_docs(target, model) %}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({"relations": [target]}) }}
{% endmaterialization %}
