-- A web cart with the reminders and experiments that reached its owner after it was left behind.
-- A reminder is an e-mail of a campaign whose audience or name speaks of carts.
with cart_campaigns as (
    select campaign_id
    from {{ ref('campaigns') }}
    where {{ rx_like(
        "lower(coalesce(audience, '') || ' ' || coalesce(campaign_name, ''))", 'cart|giỏ'
    ) }}
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

draws as (
    select
        waiting.cart_id,
        waiting.customer_id,
        experiments.campaign_id,
        experiments.{{ adapter.quote('group') }} as assigned_group,
        row_number() over (
            partition by waiting.cart_id
            order by experiments.assigned_at asc, experiments.campaign_id asc
        ) as draw_rank
    from waiting
    inner join {{ ref('experiments') }} as experiments
        on waiting.customer_id = experiments.customer_id
        and waiting.waits_from <= experiments.assigned_at
        and waiting.waits_to >= experiments.assigned_at
    inner join cart_campaigns on experiments.campaign_id = cart_campaigns.campaign_id
),

cart_mails as (
    select events.customer_id, events.campaign_id, events.occurred_at
    from {{ ref('int_email_events') }} as events
    inner join cart_campaigns on events.campaign_id = cart_campaigns.campaign_id
    where events.kind = 'sent' and events.customer_id is not null
),

-- A campaign that writes every day reports one send time for all: there the draw says when.
reminders as (
    select cart_id, min(campaign_id) as campaign_id
    from (
        select waiting.cart_id, cart_mails.campaign_id
        from waiting
        inner join cart_mails
            on waiting.customer_id = cart_mails.customer_id
            and waiting.waits_from <= cart_mails.occurred_at
            and waiting.waits_to >= cart_mails.occurred_at
        union
        select draws.cart_id, draws.campaign_id
        from draws
        inner join cart_mails
            on draws.customer_id = cart_mails.customer_id
            and draws.campaign_id = cart_mails.campaign_id
        where draws.assigned_group = 'treated'
    ) as reminded
    group by cart_id
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
    coalesce(draws.campaign_id, reminders.campaign_id) as reminder_campaign_id,
    draws.assigned_group
from {{ ref('int_carts') }} as carts
left join reminders on carts.cart_id = reminders.cart_id
left join draws on carts.cart_id = draws.cart_id and draws.draw_rank = 1
left join {{ ref('known_customers') }} as known_customers
    on carts.customer_id = known_customers.customer_id
