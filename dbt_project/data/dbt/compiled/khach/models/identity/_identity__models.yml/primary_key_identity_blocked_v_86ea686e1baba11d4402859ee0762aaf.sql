
select
    identifier_type,
    namespace,
    identifier_value,
    count(*) as row_count
from "warehouse"."identity"."identity_blocked_values"
group by identifier_type, namespace, identifier_value
having count(*) > 1
    or identifier_type is null
    or namespace is null
    or identifier_value is null
