{#
    A replay (`khach run --as-of` of an earlier day) reads today's lake, which may hold what
    happened after that day: rows of such entities are left out by the time they happened. What is
    no happening (products, stores, campaigns, offers) is as it is known. In a run of the present
    nothing is left out, so that the account of rows holds.
#}
{% macro happened_at(entity) -%}
    {{ return({
        'customers': 'created_at', 'orders': 'ordered_at', 'order_lines': 'ordered_at',
        'payments': 'paid_at', 'refunds': 'refunded_at', 'consents': 'occurred_at',
        'experiments': 'assigned_at', 'survey_responses': 'answered_at',
        'conversations': 'opened_at', 'messages': 'sent_at', 'calls': 'started_at',
        'leads': 'created_at', 'appointments': 'booked_at', 'coupon_redemptions': 'redeemed_at',
        'loyalty_enrolments': 'enrolled_at', 'referrals': 'referred_at',
        'email_events': 'occurred_at', 'sessions': 'started_at',
    }.get(entity)) }}
{%- endmacro %}


{% macro is_replay() -%}
    {{ return(run_value('is_replay') | string | lower == 'true') }}
{%- endmacro %}


{# A condition (or `true`): the row had happened by the end of the observed period. #}
{% macro had_happened(column) -%}
    {%- if column and is_replay() -%} coalesce({{ column }} < {{ as_of_at() }}, true)
    {%- else -%} true {%- endif -%}
{%- endmacro %}


{# The same for rows that belong to an order of the same staging folder. #}
{% macro order_had_happened(entity, name, relation) -%}
    {%- set orders = name.rsplit('__', 1)[0] ~ '__orders' -%}
    {%- set belongs = entity in ['order_lines', 'payments', 'refunds']
        and orders in entity_models('orders') -%}
    {#- dbt learns what a model depends on when it parses, where nothing is a replay. -#}
    {%- set order_rows = ref(orders) if belongs else none -%}
    {%- if belongs and is_replay() -%}
    not exists (
        select 1
        from {{ order_rows }} as later
        where later.source = {{ relation }}.source
            and later.order_id = {{ relation }}.order_id
            and later.ordered_at >= {{ as_of_at() }}
    )
    {%- else -%} true {%- endif -%}
{%- endmacro %}
