{# Our word for a stated gender; a source's own words are best mapped in sources.yml already. #}
{% macro gender_word(gender) -%}
case
    when lower(trim({{ gender }})) in ('male', 'm', 'nam') then 'male'
    when lower(trim({{ gender }})) in ('female', 'f', 'nữ') then 'female'
    when trim({{ gender }}) <> '' and lower(trim({{ gender }})) <> 'unknown' then 'other'
end
{%- endmacro %}

{# How a shop addresses a person: by gender and, where known, by age. #}
{% macro salutation(gender, age_band) -%}
case
    when {{ age_band }} = 'under_18' then 'em'
    when {{ gender }} = 'male' and {{ age_band }} = '65_plus' then 'ông'
    when {{ gender }} = 'female' and {{ age_band }} = '65_plus' then 'bà'
    when {{ gender }} = 'male' then 'anh'
    when {{ gender }} = 'female' then 'chị'
end
{%- endmacro %}

{# `anh Minh`, `chị Lan`; the given name alone where the gender does not say; null without a name. #}
{% macro salutation_name(gender, age_band, given_name) -%}
coalesce({{ salutation(gender, age_band) }} || ' ', '') || {{ given_name }}
{%- endmacro %}

{# Age bands are lower-bound inclusive; an unknown age is a band of its own, never a guess. #}
{% macro age_band(age) -%}
case
    when {{ age }} is null then 'unknown'
    when {{ age }} < 18 then 'under_18'
    when {{ age }} < 25 then '18_24'
    when {{ age }} < 35 then '25_34'
    when {{ age }} < 45 then '35_44'
    when {{ age }} < 55 then '45_54'
    when {{ age }} < 65 then '55_64'
    else '65_plus'
end
{%- endmacro %}

{#
  Lifecycle: one ordered CASE, first match wins, so that everybody is in exactly one stage.
  `gap` is days since the last order; P40 and P80 are null when nobody has ordered twice, and a
  comparison with null is no match, so such a business has leads, first timers and nothing else.
#}
{% macro lifecycle_stage(order_days, gap, p40, p80) -%}
case
    when coalesce({{ order_days }}, 0) = 0 then 'lead'
    when {{ gap }} > {{ p80 }} and {{ order_days }} = 1 then 'one_and_done'
    when {{ gap }} > {{ p80 }} then 'lapsed'
    when {{ gap }} > {{ p40 }} and {{ order_days }} >= 2 then 'at_risk'
    when {{ order_days }} = 1 then 'first_time'
    when {{ order_days }} >= {{ threshold('loyal_order_days') }} then 'loyal'
    else 'repeat'
end
{%- endmacro %}

{# A 1-5 score that ties share and row order cannot move: fifths of percent_rank. #}
{% macro quintile_score(column) -%}
cast(least(5, 1 + floor(5 * percent_rank() over (order by {{ column }} asc nulls first)))
    as integer)
{%- endmacro %}

{# Completed years from a birth date to a day. #}
{% macro age_on(birth_date, on_date) -%}
(extract(year from {{ on_date }}) - extract(year from {{ birth_date }})
    - case
        when extract(month from {{ on_date }}) * 100 + extract(day from {{ on_date }})
            < extract(month from {{ birth_date }}) * 100 + extract(day from {{ birth_date }})
        then 1 else 0
    end)
{%- endmacro %}

{#
  People of the business itself, not customers: an address whose local part is `test` (with or
  without `+something`), or a name that is. Nothing subtler, so that no real person is lost.
#}
{% macro is_test_customer(email, full_name) -%}
coalesce({{ rx_like('lower(' ~ email ~ ')', '^test([+][^@]*)?@') }}, false)
or coalesce(lower(trim({{ full_name }})) = 'test', false)
{%- endmacro %}

{# When a cart left at `last_activity_at` can no longer count as recovered. #}
{% macro recovery_ends_at() -%}
{{ plus_minutes('last_activity_at', threshold('cart_recovery_days') * 1440) }}
{%- endmacro %}

{# How far a source is from being believed first about an attribute (identity.yml, survivorship). #}
{% macro trust_rank(attribute) -%}
{%- set names = (var('trusted_sources') or {}).get(attribute)
    or var('sources') | map(attribute='name') | list -%}
case
    {%- for name in names %} when source = '{{ name }}' then {{ loop.index }}{% endfor %}
    when true then {{ names | length + 1 }}
end
{%- endmacro %}
