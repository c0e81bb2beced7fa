{{ config(materialized='view', schema='intermediate') }}

-- Codes of one person each, by the sync that carried them: a code that is only set aside for a
-- message still waiting is none. Grain is offer_code, sync_id.
with carried as (
    select
        plan_rows.offer_code,
        plans.sync_id,
        min(coalesce(messages.sent_at, plans.as_of)) as carried_at
    from state.main.sync_plan_rows as plan_rows
    inner join state.main.sync_plans as plans on plan_rows.plan_id = plans.plan_id
    inner join state.main.sync_receipts as receipts
        on receipts.receipt_id
        = plan_rows.plan_id || '-' || cast(plan_rows.row_number as varchar)
    left join state.main.messages as messages
        on plan_rows.plan_id = messages.plan_id
        and plan_rows.row_number = messages.row_number
    where plan_rows.offer_code is not null
        and receipts.action in ('add', 'update', 'message')
        and receipts.status in ('sent', 'submitted', 'acknowledged')
    group by plan_rows.offer_code, plans.sync_id
)

select
    codes.offer_code,
    carried.sync_id,
    codes.audience,
    'audience:' || codes.audience as offer_id,
    -- Own staff see what goes out; their codes are nobody's.
    case
        when codes.customer_id not like 'seed:%'
            then coalesce(survivors.current_customer_id, codes.customer_id)
    end as customer_id,
    carried.carried_at,
    codes.valid_until
from state.main.offer_codes as codes
inner join carried on codes.offer_code = carried.offer_code
left join {{ ref('customer_survivors') }} as survivors
    on codes.customer_id = survivors.customer_id
-- A run sends at the end of what it observed, after its models: they are the next run's.
where carried.carried_at < {{ as_of_at() }}
