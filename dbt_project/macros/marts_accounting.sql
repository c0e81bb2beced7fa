{#
  The rows of a raw table in accepted loads, as they were delivered: source, load_id, part of the
  entity, key k1.., whether the declared filter kept it. Reads the lake itself, not staging.
#}
{% macro raw_rows(table, keys) -%}
{%- set columns = raw_columns(table) -%}
    select
        cast(null as varchar) as source,
        cast(null as varchar) as load_id,
        cast(null as varchar) as table_name,
        {%- for key in keys %}
        cast(null as varchar) as k{{ loop.index }},
        {%- endfor %}
        cast(null as boolean) as is_kept
    where false
    {%- for (name, part), own in delivered_parts(table).items() %}
    union all
    select
        '{{ name }}',
        _load_id,
        '{{ part }}',
        {%- for key in keys %}
        cast({{ key }} as varchar),
        {%- endfor %}
        {{ 'coalesce(_is_kept, true)' if '_is_kept' in columns else 'true' }}
    from ({{ rows_of_files(own) }}) as delivered
    {%- endfor %}
{%- endmacro %}


{# The files of accepted loads, by source and part of the entity. #}
{% macro delivered_parts(table) -%}
    {%- set files = run_query('select source, load_id, file from (' ~ accepted_files_sql(table)
        ~ ') as accepted order by source, file, load_id').rows if execute else [] -%}
    {%- set parts = {} -%}
    {%- for file in files -%}
        {%- do parts.setdefault((file['source'], file['file'].split('/')[-2]), []).append(file) -%}
    {%- endfor -%}
    {{ return(parts) }}
{%- endmacro %}


{# How many rows each load and part delivered, and how many of them the filter refused. #}
{% macro rows_of_loads(table, keys) -%}
    select
        source,
        load_id,
        table_name,
        sum(case when is_kept then 1 else 0 end) as kept,
        sum(case when is_kept then 0 else 1 end) as filtered
    from ({{ raw_rows(table, keys) }}) as delivered
    group by source, load_id, table_name
{%- endmacro %}


{#
  The account of one raw table per load. `found` is SQL that yields the staged keys (source, k1..)
  which the marts hold. A key is one row of the marts, credited to the load whose version won;
  every other delivery of it is a duplicate. Where the version that won is a tombstone, it is no
  row of the marts by declaration: filtered. A key that staging or the marts lost is none of these,
  so that the account does not balance.
#}
{% macro table_account(table, keys, staged, found, staged_keys=none) -%}
    select
        delivered.source,
        delivered.load_id,
        delivered.table_name,
        coalesce(owned.in_marts, 0) as rows_in_marts,
        delivered.kept - coalesce(owned.found_or_lost, 0) as rows_duplicate,
        delivered.filtered + coalesce(owned.tombstones, 0) as rows_filtered
    from ({{ rows_of_loads(table, keys) }}) as delivered
    left join (
        select
            owners.source,
            owners.delivery,
            count(*) as found_or_lost,
            sum(owners.is_tombstone) as tombstones,
            sum(case when owners.is_tombstone = 0 and found.source is not null then 1 else 0 end)
                as in_marts
        from ({{ key_owners(table, keys, staged, staged_keys or keys) }}) as owners
        left join ({{ found }}) as found
            on {{ is_same_delivered_key(keys, 'owners', 'found') }}
        group by owners.source, owners.delivery
    ) as owned
        on delivered.source = owned.source
        and delivered.load_id || '/' || delivered.table_name = owned.delivery
{%- endmacro %}


{#
  Each kept key once: source, k1.., the delivery credited with it and whether it is a tombstone.
  Of the parts of an entity that bring a key in one load, the last by name is credited; with a key
  that staging lost, the last load.
#}
{% macro key_owners(table, keys, staged, staged_keys) -%}
    {%- set parts = delivered_parts(table).keys() | list -%}
    {%- set has_one_part = parts and (parts | map(attribute=0) | unique | list) | length
        == parts | length %}
    {#- A source has one part: a key's row in staging tells its load, only lost keys are sought. #}
    {%- if has_one_part %}
    select
        source,
        {%- for key in staged_keys %}
        cast({{ key }} as varchar) as k{{ loop.index }},
        {%- endfor %}
        _load_id || '/' || case source
            {%- for source, part in parts %} when '{{ source }}' then '{{ part }}'{% endfor %}
            else '' end as delivery,
        case when {{ is_tombstone(table, 'staged') }} then 1 else 0 end as is_tombstone
    from {{ ref(staged) }} as staged
    union all
    {%- endif %}
    select
        source,
        {%- for key in keys %}
        k{{ loop.index }},
        {%- endfor %}
        coalesce(max(case when is_staged then delivery end), max(delivery)) as delivery,
        max(case when is_tombstone then 1 else 0 end) as is_tombstone
    from (
        select
            delivered.source,
            {%- for key in keys %}
            delivered.k{{ loop.index }},
            {%- endfor %}
            delivered.load_id || '/' || delivered.table_name as delivery,
            delivered.load_id = staged._load_id as is_staged,
            {{ is_tombstone(table, 'staged') }} as is_tombstone
        from ({{ raw_rows(table, keys) }}) as delivered
        left join {{ ref(staged) }} as staged
            on delivered.source = staged.source
            {%- for key in staged_keys %}
            and delivered.k{{ loop.index }} = staged.{{ key }}
            {%- endfor %}
        where delivered.is_kept
        {%- if has_one_part %}
            and staged.source is null
        {%- endif %}
    ) as offered
    group by source{% for key in keys %}, k{{ loop.index }}{% endfor %}
{%- endmacro %}


{# Whether the version of a key that won says that it is deleted. #}
{% macro is_tombstone(table, staged) -%}
    {{ 'coalesce(' ~ staged ~ '._is_deleted, false)' if '_is_deleted' in raw_columns(table)
        else 'false' }}
    {{- ' or ' ~ is_of_deleted_order(staged) if goes_with_its_order(table) }}
{%- endmacro %}


{% macro is_same_delivered_key(keys, left, right) -%}
{{ left }}.source = {{ right }}.source
            {%- for key in keys %}
            and {{ left }}.k{{ loop.index }} = {{ right }}.k{{ loop.index }}
            {%- endfor %}
{%- endmacro %}


{# Which model holds the newest rows of a raw table, deleted ones too. #}
{% macro staged_table(table) -%}
    {%- set vendor, dot, name = table.partition('.') -%}
    {%- if not dot -%}{{ return('stg_entities__' ~ table) }}{%- endif -%}
    {%- if table in shopify_tables() -%}
        {{ return('stg_shopify__' ~ shopify_tables()[table]) }}
    {%- endif -%}
    {%- set prefix = 'base_' if vendor in vendor_entities() else 'stg_' -%}
    {{ return(prefix ~ vendor ~ '__' ~ name) }}
{%- endmacro %}


{# The raw tables of a shop: an order and its lines, coupons and payment arrive as one row. #}
{% macro woocommerce_accounts(by_source, found) -%}
    {{ return({
        'woocommerce.orders': by_source ~ "order_id as k1 from "
            ~ ref('stg_woocommerce__orders') ~ " where namespace || ':' || order_id in (select"
            ~ " order_id from " ~ ref('orders') ~ ")",
        'woocommerce.order_refunds': found['refunds'],
        'woocommerce.customers': found['customers'],
        'woocommerce.products': by_source ~ "product_id as k1 from "
            ~ ref('stg_woocommerce__products') ~ " where product_id in (select product_id from "
            ~ ref('products') ~ ")",
    }) }}
{%- endmacro %}


{#
    The raw tables of a Square account. A return is an order there: it is in the marts as the
    refunds of what was sold. The catalogue's categories are names of products.
#}
{% macro square_accounts(by_source, found) -%}
    {%- set held = {} -%}
    {%- for table in ['catalog', 'loyalty_accounts'] -%}
        {%- do held.update({table: by_source ~ 'id as k1 from ' ~ ref('base_square__' ~ table)
            ~ ' where not coalesce(_is_deleted, false)'}) -%}
    {%- endfor -%}
    {{ return({
        'square.locations': by_source ~ "store_id as k1 from " ~ ref('stg_square__stores')
            ~ " where store_id in (select store_id from " ~ ref('stores') ~ ")",
        'square.orders': by_source ~ "order_id as k1 from " ~ ref('stg_square__orders')
            ~ " where namespace || ':' || order_id in (select order_id from " ~ ref('orders')
            ~ ") union all select source, id from " ~ ref('base_square__orders') ~ " where "
            ~ is_square_return('base_square__orders'),
        'square.payments': found['payments'],
        'square.refunds': found['refunds'],
        'square.customers': found['customers'],
        'square.catalog': held['catalog'],
        'square.loyalty_accounts': held['loyalty_accounts'],
    }) }}
{%- endmacro %}


{# Raw tables that no model reads, of the sources that have them. #}
{% macro raw_only_tables() -%}
    {%- set known = [
        'mailchimp.merge_fields', 'mailchimp.segments', 'mailchimp.segment_members',
        'mailchimp.click_details', 'mailchimp.click_members', 'mailchimp.open_details',
        'mailchimp.member_activity', 'mailchimp.ecommerce_stores', 'mailchimp.ecommerce_orders',
        'mailchimp.ecommerce_carts', 'mailchimp.ecommerce_customers',
    ] -%}
    {%- set found = [] -%}
    {%- for table in known -%}
        {%- for source in var('sources') -%}
            {#- `landed` has one that is no longer wanted too: its rows are still in the lake. -#}
            {%- if table.startswith(source['kind'] ~ '.')
                and table.split('.')[1] in source['landed'] | default([])
                and table not in found -%}
                {%- do found.append(table) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}


{# Their account: they stay in the lake by declaration, so every row is filtered. #}
{% macro raw_only_account(table) -%}
    select
        source,
        load_id,
        '{{ table.split(".")[-1] }}' as table_name,
        0 as rows_in_marts,
        0 as rows_duplicate,
        sum(kept + filtered) as rows_filtered
    from ({{ rows_of_loads(table, [raw_columns(table).keys() | first]) }}) as delivered
    group by source, load_id
{%- endmacro %}
