{{ config(materialized='view') }}

-- What a customer's money is worth (settings.yml). One row.
select
    cast({{ var('margin_rate') }} as double) as margin_rate,
    cast({{ var('discount_rate') }} as double) as discount_rate
