-- The segments that KPIs are sliced by: of a customer exactly one lifecycle stage and RFM cell, and
-- every flag. Kinds that are a slice of their own are left out, as are those with a value for each
-- word or place that somebody writes: they would be more rows than anybody reads.
{{ config(schema='intermediate') }}

select customers.customer_number, assigned.segment_id
from {{ ref('segment_assignments') }} as assigned
inner join {{ ref('kpi_customers') }} as customers on assigned.customer_id = customers.customer_id
where assigned.segment_kind in ('lifecycle', 'rfm') or assigned.segment_kind = assigned.segment_id
