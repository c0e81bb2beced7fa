{{ config(materialized='view') }}

-- What one unit of a currency is worth in the reporting currency, by day. The reporting currency
-- is always 1; a currency without a rate has no row here, and a test on the amounts says so.
with declared as (
    select
        currency,
        valid_from,
        rate
    from {{ vocabulary('exchange_rates', {
        'currency': 'varchar', 'valid_from': 'date', 'rate': 'decimal(18, 8)'
    }) }} as exchange_rates
    where currency <> '{{ var("reporting_currency") }}'
    union all
    select
        '{{ var("reporting_currency") }}',
        cast('1900-01-01' as date),
        cast(1 as decimal(18, 8))
)

select
    currency,
    valid_from,
    lead(valid_from, 1, cast('9999-12-31' as date)) over (
        partition by currency
        order by valid_from asc nulls last
    ) as valid_to,
    -- Wide, because DuckDB multiplies two decimals of up to 18 digits in 64 bits: a price in dong
    -- times a rate of 8 places would overflow.
    cast(rate as decimal(28, 8)) as rate
from declared
