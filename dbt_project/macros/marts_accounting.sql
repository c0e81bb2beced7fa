{#
  How often each key of a raw table was delivered, per accepted load and part of the entity:
  source, load_id, table_name, k1.., the rows kept and the rows that the declared filter refused.
  Reads the lake itself, not staging.
#}
{% macro raw_key_counts(table, keys) -%}
{%- set columns = raw_columns(table) -%}
{%- set files = run_query('select source, load_id, file from (' ~ accepted_files_sql(table)
    ~ ') as accepted order by source, file, load_id').rows if execute else [] -%}
{%- set is_kept = 'coalesce(_is_kept, true)' if '_is_kept' in columns else 'true' -%}
    select
        cast(null as varchar) as source,
        cast(null as varchar) as load_id,
        cast(null as varchar) as table_name,
        {%- for key in keys %}
        cast(null as varchar) as k{{ loop.index }},
        {%- endfor %}
        cast(0 as bigint) as kept,
        cast(0 as bigint) as filtered
    where false
    {%- set parts = {} -%}
    {%- for file in files -%}
        {%- do parts.setdefault((file['source'], file['file'].split('/')[-2]), []).append(file) -%}
    {%- endfor -%}
    {%- for (name, part), own in parts.items() %}
    union all
    select
        '{{ name }}',
        _load_id,
        '{{ part }}',
        {%- for key in keys %}
        cast({{ key }} as varchar),
        {%- endfor %}
        count(case when {{ is_kept }} then 1 end),
        count(case when not {{ is_kept }} then 1 end)
    from ({{ rows_of_files(own) }}) as delivered
    group by 1, 2{% for key in keys %}, {{ loop.index + 3 }}{% endfor %}
    {%- endfor %}
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
        counts.source,
        counts.load_id,
        counts.table_name,
        sum(case
            when counts.is_owner and not counts.is_tombstone and found.source is not null then 1
            else 0
        end) as rows_in_marts,
        sum(counts.kept - case when counts.is_owner then 1 else 0 end) as rows_duplicate,
        sum(counts.filtered + case when counts.is_owner and counts.is_tombstone then 1 else 0 end)
        as rows_filtered
    from (
        select
            delivered.*,
            {{ 'coalesce(staged._is_deleted, false)' if '_is_deleted' in raw_columns(table)
                else 'false' }}
            {{- ' or ' ~ is_of_deleted_order('staged') if goes_with_its_order(table) }}
            as is_tombstone,
            -- Of the parts of an entity that bring a key in one load, the last by name is credited.
            delivered.kept > 0 and row_number() over (
                partition by delivered.source
                {%- for key in keys %}, delivered.k{{ loop.index }}{% endfor %}
                order by
                    case when delivered.kept > 0 then 0 else 1 end,
                    case when delivered.load_id = staged._load_id then 0 else 1 end,
                    delivered.load_id desc, delivered.table_name desc
            ) = 1 as is_owner
        from ({{ raw_key_counts(table, keys) }}) as delivered
        left join {{ ref(staged) }} as staged
            on delivered.source = staged.source
            {%- for key in staged_keys or keys %}
            and delivered.k{{ loop.index }} = staged.{{ key }}
            {%- endfor %}
    ) as counts
    left join ({{ found }}) as found
        on counts.source = found.source
        {%- for key in keys %}
        and counts.k{{ loop.index }} = found.k{{ loop.index }}
        {%- endfor %}
    group by counts.source, counts.load_id, counts.table_name
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
    from ({{ raw_key_counts(table, [raw_columns(table).keys() | first]) }}) as delivered
    group by source, load_id
{%- endmacro %}
