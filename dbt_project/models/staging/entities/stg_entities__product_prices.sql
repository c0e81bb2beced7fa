{{ config(
    enabled=is_staged('products'),
    unique_key=['source', 'product_id', 'priced_at', 'price_text'],
    meta={'raw_table': 'products'},
) }}

-- A catalogue that tells no time of its rows is dated by the load, whose id is seconds.
{% set loaded_at = dbt.dateadd(
    'second', 'cast(cast(_load_id as double) as bigint)', "cast('1970-01-01' as timestamp)"
) %}
{{ latest_rows(
    'products',
    keys=['product_id', 'priced_at', 'price_text'],
    order_by=['updated_at'],
    derived={
        'priced_at': 'coalesce(updated_at, ' ~ loaded_at ~ ')',
        'price_text': "coalesce(cast(price as varchar), '')",
    },
) }}
