select
    cast(customer_id as varchar) as customer_id,
    cast(current_customer_id as varchar) as current_customer_id
from {{ ref('identity_survivors') }}
