-- Everybody drawn into the experiment of a campaign, or into a group of an audience, with what they
-- did after the draw. Everyone assigned is here, reached or not. An order counts from the moment it
-- is placed, unless it was cancelled: what a message moves is the decision, and young campaigns
-- would else look worse than old ones.
{{ config(schema='intermediate') }}
{% set shares = var('holdout_shares') -%}
{% set longest = var('measurement').lift_window_days | max -%}
with audience_draws as (
    select
        holdouts.audience,
        known_customers.customer_id,
        holdouts.{{ adapter.quote('group') }} as assigned_group,
        holdouts.assigned_at,
        row_number() over (
            partition by holdouts.audience, known_customers.customer_id
            order by holdouts.assigned_at asc, holdouts.customer_id asc
        ) as draw_rank
    from state.main.holdouts as holdouts
    left join {{ ref('customer_survivors') }} as survivors
        on holdouts.customer_id = survivors.customer_id
    inner join {{ ref('known_customers') }} as known_customers
        on known_customers.customer_id
        = coalesce(survivors.current_customer_id, holdouts.customer_id)
    -- A run draws at the end of what it observed, after its models: they are the next run's.
    where holdouts.assigned_at < {{ as_of_at() }}
),

people as (
    select
        'campaign:' || experiments.campaign_id as drawn_for,
        experiments.campaign_id,
        cast(null as varchar) as audience,
        experiments.customer_id,
        experiments.{{ adapter.quote('group') }} as assigned_group,
        experiments.assigned_at,
        experiments.holdout_share as declared_share,
        coalesce({{ speaks_of_carts("coalesce(campaigns.audience, '') || ' ' "
            ~ "|| coalesce(campaigns.campaign_name, '')") }}, false) as is_about_carts
    from {{ ref('experiments') }} as experiments
    left join {{ ref('campaigns') }} as campaigns
        on experiments.campaign_id = campaigns.campaign_id
    where experiments.assigned_at is not null
    union all
    select
        'audience:' || audience, null, audience, customer_id, assigned_group, assigned_at,
        {% if shares -%}
        case audience
            {%- for name, share in shares.items() %}
            when '{{ name }}' then {{ share }}
            {%- endfor %}
        end
        {%- else -%}
        null
        {%- endif %},
        {{ speaks_of_carts('audience') }}
    from audience_draws
    where draw_rank = 1
),

bought as (
    select people.drawn_for, people.customer_id, min(orders.ordered_at) as first_order_at
    from people
    inner join {{ ref('orders') }} as orders
        on people.customer_id = orders.customer_id
        and people.assigned_at < orders.ordered_at
        and {{ window_ends_at('people.assigned_at', longest) }} >= orders.ordered_at
    where orders.status <> 'cancelled'
    group by people.drawn_for, people.customer_id
),

-- A cart that was there when its owner was drawn, and came back.
recovered as (
    select people.drawn_for, people.customer_id, min(carts.ordered_at) as cart_recovered_at
    from people
    inner join {{ ref('int_carts') }} as carts
        on people.customer_id = carts.customer_id
        and people.assigned_at >= carts.started_at
        and people.assigned_at < carts.ordered_at
    where people.is_about_carts and carts.is_recovered
    group by people.drawn_for, people.customer_id
)

select
    people.*,
    {{ business_date('people.assigned_at') }} as on_date,
    bought.first_order_at,
    recovered.cart_recovered_at
from people
left join bought
    on people.drawn_for = bought.drawn_for and people.customer_id = bought.customer_id
left join recovered
    on people.drawn_for = recovered.drawn_for and people.customer_id = recovered.customer_id
