-- At most one golden value per customer and attribute; exactly one where any candidate stands.
-- Wards and streets of another province than the golden one are the exception: none may be golden.
select customer_id, attribute
from {{ ref('customer_attributes') }}
group by customer_id, attribute
having sum(case when is_golden then 1 else 0 end) > 1
    or (
        sum(case when is_golden then 1 else 0 end) = 0
        and max(case when rule <> 'other_province' then 1 else 0 end) = 1
    )
