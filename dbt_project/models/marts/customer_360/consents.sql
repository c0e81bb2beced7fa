-- The latest word of a person per channel and purpose. Where two sources speak at the same instant
-- the refusal wins, and one of unknown time counts as the latest. An e-mail platform's unsubscribe
-- withdraws e-mail marketing. One refusal of an address that several share is a row for each.
with evidence as (
    select
        source, evidence_id, customer_id, channel, purpose, is_granted, occurred_at,
        text_version, is_shared
    from {{ ref('int_consent_events') }}
    where customer_id is not null
),

ranked as (
    select
        evidence.*,
        row_number() over (
            partition by customer_id, channel, purpose
            order by
                case when occurred_at is null and not is_granted then 0 else 1 end asc,
                occurred_at desc nulls last, is_granted asc, source asc, evidence_id asc
        ) as recency_rank,
        max(case when is_granted then occurred_at end)
            over (partition by customer_id, channel, purpose) as granted_at,
        max(case when not is_granted then occurred_at end)
            over (partition by customer_id, channel, purpose) as last_withdrawn_at
    from evidence
)

select
    concat_ws(
        ':', ranked.source, ranked.evidence_id, ranked.channel, ranked.purpose,
        case when ranked.is_shared then ranked.customer_id end
    ) as consent_id,
    ranked.customer_id,
    ranked.channel,
    ranked.purpose,
    ranked.is_granted,
    ranked.granted_at,
    case when not ranked.is_granted then ranked.last_withdrawn_at end as withdrawn_at,
    ranked.source as evidence_source,
    ranked.evidence_id,
    ranked.text_version
from ranked
inner join {{ ref('known_customers') }} as known_customers
    on ranked.customer_id = known_customers.customer_id
where ranked.recency_rank = 1
