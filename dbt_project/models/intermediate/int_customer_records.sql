-- What each record says about a person, with the customer it belongs to.
select
    persons.*,  -- noqa: AM04
    record_customers.customer_id
from {{ ref('int_person_records') }} as persons
left join {{ ref('int_record_customers') }} as record_customers
    on persons.source = record_customers.source
    and persons.record_kind = record_customers.record_kind
    and persons.record_id = record_customers.record_id
