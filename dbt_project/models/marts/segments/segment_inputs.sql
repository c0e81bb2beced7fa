-- What a segment's rule may speak of: the columns of customers and customer_behaviours, the
-- thresholds of settings.yml by name, and the day.
{{ config(schema='intermediate', materialized='view') }}

select
    customers.*,  -- noqa: AM04
    {% for column in [
        'ward_group', 'days_since_order', 'discount_order_count', 'discount_order_share',
        'judged_units', 'discount_unit_share', 'new_product_share', 'high_price_share',
        'return_share', 'store_affinity', 'category_affinity', 'days_since_abandoned_cart',
        'recent_session_count', 'recent_email_count', 'email_read_share', 'referral_count',
        'dialogue_count', 'service_count', 'days_since_store_visit',
        'has_bought_since_store_visit', 'days_since_won_back',
    ] -%}
    behaviours.{{ column }},
    {% endfor -%}
    {% for name, value in thresholds().items() -%}
    {{ value }} as {{ name }},
    {% endfor -%}
    {{ as_of_at() }} as as_of,
    {{ as_of_on() }} as as_of_on
from {{ ref('customers') }} as customers
inner join {{ ref('customer_behaviours') }} as behaviours
    on customers.customer_id = behaviours.customer_id
