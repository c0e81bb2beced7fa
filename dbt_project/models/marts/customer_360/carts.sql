-- A web cart with the reminders and experiments that reached its owner after it was left behind.
-- A reminder is an e-mail of a campaign whose audience or name speaks of carts.
with cart_campaigns as (
    select campaign_id
    from {{ ref('campaigns') }}
    where {{ rx_like("lower(coalesce(audience, '') || ' ' || coalesce(campaign_name, ''))", 'cart|giỏ') }}
),

-- From the moment the cart counts as abandoned to its order, or to the end of the recovery window.
waiting as (
    select
        cart_id,
        customer_id,
        last_activity_at as waits_from,
        least(
            coalesce(ordered_at, {{ recovery_ends_at() }}), {{ recovery_ends_at() }}
        ) as waits_to
    from {{ ref('int_carts') }}
    where is_abandoned and customer_id is not null
),

reminders as (
    select waiting.cart_id, min(events.campaign_id) as campaign_id
    from waiting
    inner join {{ ref('int_email_events') }} as events
        on waiting.customer_id = events.customer_id
        and events.kind = 'sent'
        and events.occurred_at >= waiting.waits_from
        and events.occurred_at <= waiting.waits_to
    inner join cart_campaigns on events.campaign_id = cart_campaigns.campaign_id
    group by waiting.cart_id
),

draws as (
    select
        waiting.cart_id,
        experiments.campaign_id,
        experiments.{{ adapter.quote('group') }} as assigned_group,
        row_number() over (
            partition by waiting.cart_id
            order by experiments.assigned_at asc, experiments.campaign_id asc
        ) as draw_rank
    from waiting
    inner join {{ ref('experiments') }} as experiments
        on waiting.customer_id = experiments.customer_id
        and experiments.assigned_at >= waiting.waits_from
        and experiments.assigned_at <= waiting.waits_to
    inner join cart_campaigns on experiments.campaign_id = cart_campaigns.campaign_id
)

select
    carts.cart_id,
    carts.source,
    known_customers.customer_id,
    carts.started_at,
    carts.last_activity_at,
    carts.item_count,
    {{ money('carts.cart_amount') }} as cart_amount,
    carts.last_product_id,
    carts.last_product_name,
    carts.is_abandoned,
    reminders.cart_id is not null as is_reminded,
    carts.is_recovered,
    case when carts.is_recovered then carts.order_id end as recovered_order_id,
    carts.order_id,
    coalesce(reminders.campaign_id, draws.campaign_id) as reminder_campaign_id,
    draws.assigned_group
from {{ ref('int_carts') }} as carts
left join reminders on carts.cart_id = reminders.cart_id
left join draws on carts.cart_id = draws.cart_id and draws.draw_rank = 1
left join {{ ref('known_customers') }} as known_customers
    on carts.customer_id = known_customers.customer_id
