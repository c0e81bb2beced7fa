-- The segments that KPIs are sliced by. A kind that is a slice of its own is left out.
{{ config(schema='intermediate') }}

select customers.customer_number, assigned.segment_id
from {{ ref('segment_assignments') }} as assigned
inner join {{ ref('kpi_customers') }} as customers on assigned.customer_id = customers.customer_id
where assigned.segment_kind in ('lifecycle', 'rfm')
