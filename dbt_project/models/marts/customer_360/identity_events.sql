select
    event_id,
    happened_at,
    event,
    {{ customer_id_of("customer_number") }} as customer_id,
    {{ customer_id_of("other_customer_number") }} as other_customer_id,
    rule,
    triggering_source,
    triggering_record_id,
    configuration_version
from {{ ref('identity_ledger') }}
where event in ('issued', 'merged', 'split', 'blocked', 'unblocked', 'reviewed')
