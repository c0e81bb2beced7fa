-- What may have led to an order: visits that somebody sent, clicks in messages, conversations that
-- the customer began (their first touch), answered calls; sends and opens where settings.yml says
-- so (`attribution.include`).
{{ config(schema='intermediate') }}
{% set included = var('attribution').include %}
with talks as (
    select
        interactions.interaction_id,
        interactions.customer_id,
        interactions.occurred_at,
        interactions.channel,
        interactions.campaign_id,
        interactions.kind = 'call' and interactions.is_answered as is_answered_call,
        conversations.initiated_by = 'customer' and row_number() over (
            partition by interactions.conversation_id
            order by interactions.occurred_at asc nulls last, interactions.interaction_id asc
        ) = 1 as is_first_word
    from {{ ref('interactions') }} as interactions
    left join {{ ref('conversations') }} as conversations
        on interactions.conversation_id = conversations.conversation_id
    where interactions.kind in ('message', 'call')
        and (interactions.conversation_id is not null or interactions.kind = 'call')
),

touches as (
    select
        'visit:' || sessions.session_id as interaction_id,
        sessions.customer_id,
        sessions.started_at as touched_at,
        sessions.traffic_source as touchpoint,
        campaigns.campaign_id
    from {{ ref('sessions') }} as sessions
    left join {{ ref('campaigns') }} as campaigns on sessions.campaign = campaigns.campaign_id
    where sessions.traffic_source not in ('direct', '(direct)', 'unknown')
    union all
    select interaction_id, customer_id, occurred_at, channel, campaign_id
    from {{ ref('interactions') }}
    where kind = 'click'
        {%- if 'opens' in included %}
        or kind = 'open'
        {%- endif %}
        {%- if 'sends' in included %}
        or (kind = 'message' and direction = 'outbound' and campaign_id is not null)
        {%- endif %}
    union all
    select interaction_id, customer_id, occurred_at, channel, campaign_id
    from talks
    where is_answered_call or is_first_word
)

select
    interaction_id,
    customer_id,
    touched_at,
    touchpoint,
    campaign_id
from touches
where customer_id is not null and touched_at is not null
