"""Web visits, carts and orders, refunds."""

_COMPLETED = "('paid', 'fulfilled', 'shipped', 'completed', 'returned', 'refunded')"

# Events of one browser with at most 30 minutes between them are one session.
SESSIONS = """
create table numbered as
with begun as (
    select *, case when date_diff('ms', lag(occurred_at) over browsers, occurred_at) <= 1800000
        then 0 else 1 end as begins
    from events window browsers as (partition by browser order by occurred_at, message_id)
)
select *, sum(begins) over (partition by browser order by occurred_at, message_id
    rows unbounded preceding) as session_number
from begun;
create table sessions as
select browser, session_number, min(occurred_at) as started_at, max(occurred_at) as ended_at,
    coalesce(first(source order by occurred_at), 'direct') as traffic_source,
    coalesce(first(campaign order by occurred_at), 'unknown') as campaign
from numbered group by all;
-- Of an order whose own event was lost (closed tabs), the last session of its cart before it.
create table order_sessions as
select order_id, browser, session_number from (
    select orders.order_id, numbered.browser, numbered.session_number
    from orders inner join numbered
        on numbered.order_id = orders.order_id
        or (numbered.cart_id = orders.cart_id
            and numbered.occurred_at <= cast(orders.ordered_at as timestamp) + interval 1 minute)
    qualify row_number() over (partition by orders.order_id order by
        numbered.order_id = orders.order_id desc nulls last, numbered.occurred_at desc) = 1
)
"""

ORDERS = f"""
create table sales as
with lines as (
    select 'web_shop' as source, order_id, sum(cast(quantity as bigint)) as units,
        sum(cast(amount as bigint)) as gross
    from order_lines group by all
    union all
    select 'tills', receipt_id, sum(cast(quantity as bigint)), sum(cast(amount as bigint))
    from receipt_lines group by all
),
placed as (
    select 'web_shop' as source, order_id, 'web' as channel, 'unknown' as store,
        delivery_province as province, delivery_country as country, status, cart_id,
        cast(ordered_at as timestamp) as ordered_at
    from orders
    union all
    select 'tills', receipt_id, 'store', store_id, stores.province, 'VN', status, null,
        cast(sold_at as timestamp) + interval 7 hour
    from receipts left join stores using (store_id)
)
select placed.source, placed.order_id, channel, store, coalesce(province, 'unknown') as province,
    coalesce(country, 'unknown') as country, cart_id, ordered_at, cast(ordered_at as date) as day,
    status in {_COMPLETED} as is_completed, units, gross, customer_id as customer,
    coalesce(generation, 'unknown') as generation, coalesce(gender, 'unknown') as gender,
    coalesce(sessions.traffic_source, 'unknown') as traffic_source,
    coalesce(sessions.campaign, 'unknown') as campaign,
    case when customer_id is null then 'unknown' else 'known' end as contact
from placed
left join lines using (source, order_id)
left join whose on whose.system = placed.source and kind = 'orders' and record_id = order_id
left join persons using (customer_id)
left join order_sessions on placed.source = 'web_shop' and order_sessions.order_id = placed.order_id
left join sessions using (browser, session_number)
"""

REFUNDS = """
create table paid_back as
with told as (
    select 'web_shop' as source, order_id, cast(amount as bigint) as amount,
        cast(cast(refunded_at as timestamp) as date) as refunded_on
    from refunds
    union all
    select 'tills', receipt_id, cast(amount as bigint),
        cast(cast(returned_at as timestamp) + interval 7 hour as date)
    from returns
)
select told.amount, told.refunded_on, sales.*
from told inner join sales using (source, order_id) where is_completed
"""

PARTS = """
create table parts as
with lines as (
    select 'web_shop' as source, order_id, product_id, quantity, amount from order_lines
    union all
    select 'tills', receipt_id, product_id, quantity, amount from receipt_lines
)
select sales.* exclude (units, gross), coalesce(products.category, 'unknown') as category,
    sum(cast(quantity as bigint)) as units, sum(cast(amount as bigint)) as gross
from sales inner join lines using (source, order_id) left join products using (product_id)
where is_completed group by all
"""

# A session with an order is one in which an order was placed, whether or not its event arrived.
VISITS = """
create table web_visits as
select cast(started_at as date) as day, customer_id as customer, traffic_source, campaign,
    exists (select 1 from order_sessions as o where o.browser = sessions.browser
        and o.session_number = sessions.session_number) as has_order,
    coalesce(generation, 'unknown') as generation, coalesce(gender, 'unknown') as gender,
    browser, session_number,
    case when customer_id is null then 'unknown' else 'known' end as contact
from sessions
left join whose_visit on anonymous_id = browser and date_trunc('milliseconds', first_at)
    = date_trunc('milliseconds', started_at)
left join persons using (customer_id)
"""

# Silence of an hour after the cart's last activity without its order makes it abandoned; who comes
# back later is looking at an abandoned cart, whose last activity was before that silence.
CARTS = """
create table cart_lives as
with touched as (
    select cart_id, occurred_at, event, browser, session_number,
        lead(occurred_at) over (partition by cart_id order by occurred_at) as next_at
    from numbered where cart_id is not null and event <> 'Order Completed'
),
silent as (
    select touched.cart_id, max(touched.occurred_at) as left_at from touched
    left join sales on sales.cart_id = touched.cart_id
    where (next_at is null or next_at > touched.occurred_at + interval 60 minute)
        and touched.occurred_at + interval 60 minute <= $as_of
        and (ordered_at is null or ordered_at > touched.occurred_at + interval 60 minute)
    group by all
),
life as (
    select cart_id, min(occurred_at) as started_at, max(occurred_at) as last_at,
        arg_min(browser, occurred_at) as browser,
        arg_min(session_number, occurred_at) as session_number
    from touched group by all having count(*) filter (event = 'Product Added') > 0
),
assigned as (
    select customer_id, campaign_id, grp, assigned_at
    from experiments inner join campaigns using (campaign_id)
    inner join whose on system = 'web_shop' and kind = 'experiments'
        and record_id = md5(campaign_id || '-' || email)
    where audience = 'bỏ quên giỏ hàng'
),
reminded as (
    select mailed.customer, sent_at
    from mailed inner join campaigns on campaign_id = campaign
    where audience = 'bỏ quên giỏ hàng' and customer is not null
)
select life.cart_id, cast(coalesce(left_at, last_at) as date) as day, left_at,
    whose_cart.customer_id as customer,
    sales.order_id, sales.ordered_at, sales.gross, left_at is not null as is_abandoned,
    coalesce(sales.is_completed, false) as is_completed,
    left_at is not null and ordered_at <= left_at + interval 7 day as is_recovered,
    assigned.grp, coalesce(assigned.campaign_id, 'unknown') as campaign,
    web.traffic_source, if(whose_cart.customer_id is null, 'unknown', 'known') as contact,
    coalesce(persons.generation, 'unknown') as generation,
    coalesce(persons.gender, 'unknown') as gender,
    exists (select 1 from reminded where reminded.customer = whose_cart.customer_id
        and sent_at > left_at and sent_at <= left_at + interval 7 day
        and (ordered_at is null or ordered_at > sent_at)) as is_reminded
from life
left join silent using (cart_id)
left join sales using (cart_id)
left join web_visits as web using (browser, session_number)
left join whose_cart using (cart_id)
left join persons on persons.customer_id = whose_cart.customer_id
left join assigned on assigned.customer_id = whose_cart.customer_id and assigned_at > left_at
    and assigned_at <= least(coalesce(ordered_at, left_at + interval 7 day),
        left_at + interval 7 day)
qualify row_number() over (partition by life.cart_id order by assigned_at) = 1
"""
