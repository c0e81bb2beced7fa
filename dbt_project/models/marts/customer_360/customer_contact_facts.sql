-- What e-mails, visits, carts, surveys and other touches say about a customer.
{{ config(schema='intermediate') }}

with emails as (
    select
        customer_id,
        count(distinct case when kind = 'sent' then message_key end) as email_sent_count,
        count(distinct case when kind = 'open' then message_key end) as email_opened_count,
        count(distinct case when kind = 'click' then message_key end) as email_clicked_count,
        max(case when kind = 'delivered' then occurred_at end) as last_delivered_at
    from (
        select *, campaign_id || ':' || member_id as message_key from {{ ref('int_email_events') }}
    ) as events
    where customer_id is not null
    group by customer_id
),

touches as (
    select
        customer_id,
        count(case when kind = 'visit' then 1 end) as web_session_count,
        max(case when initiated_by = 'customer' then occurred_at end) as last_interaction_at
    from {{ ref('interactions') }}
    where customer_id is not null
    group by customer_id
),

called as (
    select
        customer_id, occurred_at, outcome,
        row_number() over (
            partition by customer_id order by occurred_at desc nulls last, interaction_id asc
        ) as recency_rank
    from {{ ref('interactions') }}
    where customer_id is not null and kind = 'call' and direction = 'outbound'
),

answers as (
    select
        customer_id, kind, score,
        row_number() over (
            partition by customer_id, kind order by answered_at desc nulls last, response_id asc
        ) as recency_rank
    from {{ ref('survey_responses') }}
    where customer_id is not null and score is not null
),

scores as (
    select
        customer_id,
        max(case when kind = 'nps' then score end) as nps_score,
        max(case when kind = 'csat' then score end) as csat_score
    from answers
    where recency_rank = 1
    group by customer_id
),

talks as (
    select
        customer_id, topic,
        sum(case when status = 'open' then 1 else 0 end) over (partition by customer_id)
            as open_conversation_count,
        row_number() over (
            partition by customer_id
            order by
                case when topic is null then 1 else 0 end asc,
                last_message_at desc nulls last, conversation_id asc
        ) as topic_rank
    from {{ ref('conversations') }}
    where customer_id is not null
),

-- Who brought them: the first referral counts.
referrers as (
    select
        referred.customer_id,
        known_customers.customer_id as referred_by_customer_id,
        row_number() over (
            partition by referred.customer_id
            order by referrals.referred_at asc nulls last, referrals.referral_id asc
        ) as referral_rank
    from {{ entity_rows('referrals') }} as referrals
    inner join {{ ref('int_record_customers') }} as referred
        on referrals.source = referred.source
        and referred.record_kind = 'referrals'
        and referrals.referral_id = referred.record_id
    inner join {{ ref('int_record_customers') }} as referrer
        on referrals.source = referrer.source
        and referrer.record_kind = 'referrers'
        and referrals.referral_id = referrer.record_id
    inner join {{ ref('known_customers') }} as known_customers
        on referrer.customer_id = known_customers.customer_id
    where referred.customer_id <> referrer.customer_id
)

select
    known_customers.customer_id,
    coalesce(emails.email_sent_count, 0) as email_sent_count,
    coalesce(emails.email_opened_count, 0) as email_opened_count,
    coalesce(emails.email_clicked_count, 0) as email_clicked_count,
    emails.last_delivered_at,
    coalesce(touches.web_session_count, 0) as web_session_count,
    touches.last_interaction_at,
    called.occurred_at as last_called_at,
    called.outcome as last_call_outcome,
    scores.nps_score,
    scores.csat_score,
    coalesce(talks.open_conversation_count, 0) as open_conversation_count,
    talks.topic as last_topic,
    referrers.referred_by_customer_id
from {{ ref('known_customers') }} as known_customers
left join emails on known_customers.customer_id = emails.customer_id
left join touches on known_customers.customer_id = touches.customer_id
left join called on known_customers.customer_id = called.customer_id and called.recency_rank = 1
left join scores on known_customers.customer_id = scores.customer_id
left join talks on known_customers.customer_id = talks.customer_id and talks.topic_rank = 1
left join referrers
    on known_customers.customer_id = referrers.customer_id and referrers.referral_rank = 1
