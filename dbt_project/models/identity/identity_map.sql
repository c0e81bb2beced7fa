{{ config(materialized='view') }}

-- The current answer of the ledger: which customer an identifier stands for.
select
    identifier_type,
    namespace,
    identifier_value,
    {{ customer_id_of("customer_number") }} as customer_id,
    happened_at as valid_from
from ({{ last_links(ref('identity_ledger')) }}) as links
where customer_number is not null
