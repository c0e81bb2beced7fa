{{ config(materialized='view') }}

-- Whom each identifier has stood for, as the ledger tells: what gives an old id back when a merge
-- is undone. The ledger depends on this model, so it is found by name.
{% set ledger = adapter.get_relation('state', 'main', 'identity_ledger') if execute else none -%}
with links as (
    select
        event_number,
        customer_id,
        identifier_type,
        namespace,
        identifier_value
    from {{ ledger or "(select 0 as event_number, null as customer_id, null as identifier_type, "
        ~ "null as namespace, null as identifier_value, 'none' as event)" }} as events
    where event in ('linked', 'unlinked')
)

select
    nodes.node_id,
    cast(links.event_number as bigint) as event_number,
    cast(links.customer_id as varchar) as customer_id,
    held.customer_id is not null as is_held
from links
inner join {{ ref('identity_nodes') }} as nodes
    on links.identifier_type = nodes.identifier_type
    and links.namespace = nodes.namespace
    and links.identifier_value = nodes.identifier_value
left join (
    select distinct customer_id
    from {{ ref('identity_known') }}
) as held on links.customer_id = held.customer_id
