-- What came back from a call list: each call to somebody who stood on it, with the receipt that put
-- them there.
select
    calls.touch_id as interaction_id,
    calls.sync_id,
    calls.audience,
    calls.receipt_id,
    known_customers.customer_id,
    calls.listed_at,
    calls.started_at as called_at,
    calls.is_answered,
    calls.outcome,
    calls.duration_seconds
from {{ ref('int_sync_calls') }} as calls
left join {{ ref('known_customers') }} as known_customers
    on calls.customer_id = known_customers.customer_id
