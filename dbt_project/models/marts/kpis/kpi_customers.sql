-- What KPIs are sliced by of a customer, when somebody became one, and a number to count by: text
-- keys take several times as long to tell apart.
{{ config(schema='intermediate') }}

select
    customers.customer_id,
    row_number() over (order by customers.customer_id asc) as customer_number,
    known_customers.identified_at,
    customers.generation,
    customers.age_band,
    customers.gender,
    customers.province,
    customers.country,
    customers.loyalty_enrolled_at,
    customers.referred_by_customer_id is not null as is_referred,
    customers.first_order_at
from {{ ref('customers') }} as customers
inner join {{ ref('known_customers') }} as known_customers
    on customers.customer_id = known_customers.customer_id
