-- What the business changed, and when. A file is followed by the versions that runs met, with the
-- version each replaced; the first price of a product is none's change. The time of a version is
-- the present of the run that met it, so that it stands where the data of that day stand; versions
-- that an older release met have the clock's only.
with versions as (
    select
        coalesce(as_of, first_seen_at) as changed_at,
        coalesce(as_of <= {{ as_of_at() }}, true) as has_happened,
        case
            when kind in ('audience', 'policy') then kind
            when kind in ('settings', 'segments', 'generations') then 'segment'
            when kind = 'targets' then 'target'
        end as kind,
        name,
        lag(version) over (
            partition by kind, name order by first_seen_at asc, version asc
        ) as from_version,
        version as to_version,
        summary
    from state.main.configuration_versions
),

{% if is_staged('products') -%}
prices as (
    select
        priced_at,
        product_id,
        price,
        lag(price) over (
            partition by source, product_id order by priced_at asc, price_text asc
        ) as earlier_price
    from {{ ref('stg_entities__product_prices') }}
    where price is not null and not coalesce(_is_deleted, false)
),

{% endif -%}
offers as (
    select
        valid_from,
        offer_code,
        coalesce(offer_name, offer_code) as offer_name
    from {{ ref('offers') }}
    where valid_from is not null and offer_code is not null and valid_from < {{ as_of_at() }}
)

-- Two runs of one present may meet the same change twice.
select distinct changed_at, kind, name, from_version, to_version, summary
from versions
where kind is not null and has_happened
union all
select valid_from, 'offer', offer_code, null, offer_name, 'begins'
from offers
{% if is_staged('products') -%}
union all
select
    priced_at,
    'price',
    product_id,
    cast(earlier_price as varchar),
    cast(price as varchar),
    -- 370000.0000 reads 370000; price has four decimals.
    'price ' || rtrim(rtrim(cast(earlier_price as varchar), '0'), '.')
    || ' -> ' || rtrim(rtrim(cast(price as varchar), '0'), '.')
from prices
where earlier_price <> price
{%- endif %}
