"""What happened, one list of rows per kind of event: `day`, `customer` (or None) and slices.

A slice value that nobody knows is "unknown". Who a customer is comes from the table `whose`,
everything else from the tables of `inputs`.
"""

from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from typing import Any

import duckdb

Row = dict[str, Any]
_COMPLETED = "('paid', 'fulfilled', 'shipped', 'completed', 'returned', 'refunded')"

PERSONS = """
create table persons as
with told as (
    select customer_id, 1 as trust, gender, year(try_cast(birth_date as date)) as birth_year,
        cast(updated_at as timestamp) as told_at
    from members inner join whose on system = 'web_shop' and kind = 'customers'
        and record_id = user_id
    union all
    select customer_id, 2, gender, year(try_cast(birth_date as date)),
        cast(updated_at as timestamp) + interval 7 hour
    from cards inner join whose on system = 'tills' and kind = 'customers'
        and record_id = member_number
),
golden as (
    select customer_id, birth_year from told where birth_year is not null
    group by customer_id, trust, birth_year
    qualify row_number() over (partition by customer_id
        order by trust, count(*) desc, max(told_at) desc, birth_year) = 1
),
genders as (
    select customer_id, case gender when 'nam' then 'male' else 'female' end as gender
    from told where gender is not null
    group by customer_id, trust, told.gender
    qualify row_number() over (partition by customer_id
        order by trust, count(*) desc, max(told_at) desc, told.gender) = 1
)
select distinct customer_id, case
    when birth_year <= 1945 then 'silent' when birth_year <= 1964 then 'boomer'
    when birth_year <= 1980 then 'gen_x' when birth_year <= 1996 then 'gen_y'
    when birth_year <= 2012 then 'gen_z' when birth_year >= 2013 then 'alpha'
    else 'unknown' end as generation, coalesce(gender, 'unknown') as gender
from whose left join golden using (customer_id) left join genders using (customer_id)
where customer_id is not null
"""

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
    coalesce(generation, 'unknown') as generation, coalesce(gender, 'unknown') as gender, browser, session_number,
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
    select touched.cart_id, min(touched.occurred_at) as left_at from touched
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
    exists (select 1 from reminded where reminded.customer = whose_cart.customer_id and sent_at > left_at
        and sent_at <= left_at + interval 7 day and (ordered_at is null or ordered_at > sent_at)
        ) as is_reminded
from life
left join silent using (cart_id)
left join sales using (cart_id)
left join web_visits as web using (browser, session_number)
left join whose_cart using (cart_id)
left join persons on persons.customer_id = whose_cart.customer_id
left join assigned on assigned.customer_id = whose_cart.customer_id and assigned_at > left_at
    and assigned_at <= left_at + interval 7 day
qualify row_number() over (partition by life.cart_id order by assigned_at) = 1
"""

# A customer is new on the day of the first record that shows who it is.
SIGN_UPS = """
create table first_touches as
with touches as (
    select customer as customer_id, started_at as touched_at, 'web' as channel, traffic_source,
        campaign
    from web_visits inner join sessions using (browser, session_number, traffic_source, campaign)
    union all
    select customer, ordered_at, channel, 'unknown', 'unknown' from sales
    union all
    select customer_id, cast(created_at as timestamp), 'unknown', leads.source, 'unknown'
    from leads inner join whose on system = 'crm' and kind = 'leads' and record_id = lead_id
    union all
    select customer, began_at, channel, 'unknown', 'unknown' from talks
    where initiated_by = 'customer'
    union all
    select customer_id, cast(booked_at as timestamp), 'store', 'unknown', 'unknown'
    from appointments
    inner join whose on system = 'crm' and kind = 'appointments' and record_id = appointment_id
    union all
    select customer_id, cast(referred_at as timestamp), 'unknown', 'unknown', 'unknown'
    from referrals
    inner join whose on system = 'crm' and kind = 'referrals' and record_id = referral_id
)
select * from touches where customer_id is not null
qualify row_number() over (partition by customer_id order by touched_at) = 1;
create table first_shown as
with shown as (
    select 'web_shop' as system, 'customers' as kind, user_id as record_id,
        cast(created_at as timestamp) as shown_at from members
    union all select 'web_shop', 'orders', order_id, cast(ordered_at as timestamp) from orders
    union all select 'web_shop', 'survey_responses', response_id, answered_at from surveys
    union all select 'web_shop', 'experiments', md5(campaign_id || '-' || email), assigned_at
        from experiments
    union all select 'tills', 'customers', member_number,
        cast(enrolled_at as timestamp) + interval 7 hour from cards
    union all select 'tills', 'orders', receipt_id, cast(sold_at as timestamp) + interval 7 hour
        from receipts
    union all select 'email', 'customers', md5(lower(email_address)),
        timestamp_opt + interval 7 hour from subscribers
    union all select 'crm', 'leads', lead_id, cast(created_at as timestamp) from leads
    union all select 'crm', 'conversations', conversation_id, cast(opened_at as timestamp)
        from conversations
        where coalesce(user_id, zalo_id, phone, email) is not null
    union all select 'crm', 'calls', call_id, cast(started_at as timestamp) from calls
    union all select 'crm', 'appointments', appointment_id, cast(booked_at as timestamp)
        from appointments
    union all select 'crm', 'loyalty_enrolments', enrolment_id, cast(enrolled_at as timestamp)
        from enrolments
    union all select 'crm', 'referrals', referral_id, cast(referred_at as timestamp) from referrals
    union all select 'crm', 'coupon_redemptions', redemption_id, cast(redeemed_at as timestamp)
        from redemptions
)
select customer_id, min(shown_at) as signed_up_at
from shown inner join whose using (system, kind, record_id)
where customer_id is not null group by all;
create table sign_ups as
with bought as (
    select customer as customer_id, min(ordered_at) as first_at from sales
    where is_completed group by all
),
asked as (
    select customer_id, cast(contacted_at as timestamp) as contacted_at, outcome
    from leads inner join whose on system = 'crm' and kind = 'leads' and record_id = lead_id
    where contacted_at is not null
    union all
    select customer_id, cast(started_at as timestamp), null
    from calls inner join whose on system = 'crm' and kind = 'calls' and record_id = call_id
    where direction = 'outbound' and purpose = 'sales'
)
select customer_id as customer, cast(signed_up_at as date) as day,
    coalesce(any_value(traffic_source), 'unknown') as traffic_source,
    coalesce(any_value(channel), 'unknown') as channel,
    coalesce(any_value(campaign), 'unknown') as campaign,
    coalesce(generation, 'unknown') as generation, coalesce(gender, 'unknown') as gender,
    first_at <= signed_up_at + interval 30 day as has_bought,
    bool_or(contacted_at between signed_up_at and signed_up_at + interval 7 day) as is_contacted,
    bool_or(contacted_at between signed_up_at and signed_up_at + interval 7 day
        and outcome = 'unqualified') as is_unqualified
from first_shown left join persons using (customer_id) left join bought using (customer_id)
left join first_touches using (customer_id)
left join asked using (customer_id)
where signed_up_at >= (select min(occurred_at) from events)
group by all
"""

EMAILS = """
create table mailed as
with did as (
    select campaign_id, address, bool_or(action = 'bounce') as is_bounced,
        bool_or(action = 'open') as is_opened, bool_or(action = 'click') as is_clicked
    from activity group by all
),
done as (
    -- The platform tells one time per campaign; a campaign that writes daily tells by whom it chose.
    select sends.*, greatest(cast(campaigns.started_at as timestamp), assigned_at) as sent_at,
        coalesce(is_bounced, false) or sends.status <> 'sent' as is_bounced,
        coalesce(is_opened, false) as is_opened, coalesce(is_clicked, false) as is_clicked,
        unsubscribes.address is not null as is_unsubscribed
    from sends left join did using (campaign_id, address)
    left join campaigns using (campaign_id)
    left join experiments on experiments.campaign_id = sends.campaign_id
        and lower(experiments.email) = lower(sends.email_address)
    left join (select distinct campaign_id, address from unsubscribes) as unsubscribes
        using (campaign_id, address)
)
select delivered_on as day, sent_at, campaign_id as campaign, customer_id as customer,
    coalesce(generation, 'unknown') as generation, coalesce(gender, 'unknown') as gender,
    if(customer_id is null, 'unknown', 'known') as contact,
    is_bounced, not is_bounced as is_delivered, is_opened, is_clicked, is_unsubscribed
from done
left join whose on system = 'email' and kind = 'customers' and record_id = address
left join persons using (customer_id)
"""

TALKS = """
create table talks as
select customer_id as customer, channel, initiated_by, content_class, topic, status,
    cast(opened_at as timestamp) as began_at, cast(opened_at as date) as day,
    date_diff('second', cast(opened_at as timestamp), cast(first_answered_at as timestamp))
        as seconds_to_answer,
    true as is_conversation, order_id, coalesce(generation, 'unknown') as generation, coalesce(gender, 'unknown') as gender,
    case when customer_id is null then 'unknown' else 'known' end as contact
from conversations
left join whose on system = 'crm' and kind = 'conversations' and record_id = conversation_id
left join persons using (customer_id)
union all
select customer_id, 'phone', if(direction = 'inbound', 'customer', 'business'), content_class,
    null, null, cast(started_at as timestamp), cast(started_at as date), null, false, order_id,
    coalesce(generation, 'unknown'), coalesce(gender, 'unknown'),
    case when customer_id is null then 'unknown' else 'known' end
from calls
left join whose on system = 'crm' and kind = 'calls' and record_id = call_id
left join persons using (customer_id)
"""

# A complaint is of the order it names, wherever that was bought.
COMPLAINTS = """
create table complaints as
select talks.day, talks.customer, talks.generation, talks.gender, talks.contact,
    coalesce(sales.channel, 'unknown') as channel, coalesce(sales.store, 'unknown') as store,
    coalesce(sales.province, 'unknown') as province,
    coalesce(sales.country, 'unknown') as country
from talks left join sales using (order_id)
where content_class = 'complaint' and initiated_by = 'customer'
"""

# What the business begins; and what of it was answered with a refusal within three days.
CONTACTS = """
create table words as
select customer_id, channel, purpose, granted = 'true' as is_granted,
    cast(occurred_at as timestamp) as said_at
from consents inner join whose on system = 'web_shop' and kind = 'consents'
    and record_id = consent_id
union all
select customer_id, channel, purpose, granted = 'true',
    cast(occurred_at as timestamp) + interval 7 hour
from till_consents inner join whose on system = 'tills' and kind = 'consents'
    and record_id = consent_id;
create table refusals as
select customer_id, said_at as refused_at from words
qualify not is_granted and lag(is_granted) over (partition by customer_id, channel, purpose
    order by said_at, is_granted desc)
union all
select customer_id, occurred_at + interval 7 hour
from unsubscribes inner join whose on system = 'email' and kind = 'customers'
    and record_id = address
union all
select customer, began_at from talks
where content_class = 'complaint' and initiated_by = 'customer' and customer is not null;
create table contacts as
with begun as (
    select sent_at as begun_at, customer, mailed.generation, mailed.gender, contact, 'email' as channel, mailed.campaign, mailed.day,
        30 as cost, null as is_answered, false as is_sales_call
    from mailed
    union all
    select began_at, customer, generation, gender, contact, channel, 'unknown', day, 0, null, false
    from talks where is_conversation and initiated_by = 'business'
    union all
    select cast(started_at as timestamp), customer_id, coalesce(generation, 'unknown'),
        coalesce(gender, 'unknown'), case when customer_id is null then 'unknown' else 'known' end, 'phone', 'unknown',
        cast(cast(started_at as timestamp) as date), 0, answered = 'true', purpose = 'sales'
    from calls left join whose on system = 'crm' and kind = 'calls' and record_id = call_id
    left join persons using (customer_id)
    where direction = 'outbound'
)
select *, exists (select 1 from refusals where customer_id = customer
        and refused_at > begun_at and refused_at <= begun_at + interval 3 day) as is_unwanted,
    not exists (select 1 from sales where sales.customer = begun.customer and is_completed
        and ordered_at <= begun_at) as is_new_reach,
    exists (select 1 from sales where sales.customer = begun.customer and is_completed
        and is_answered and ordered_at > begun_at and ordered_at <= begun_at + interval 7 day)
        as has_ordered
from begun
"""

ANSWERS = """
create table answers_given as
select cast(answered_at as date) as day, customer_id as customer, surveys.kind, score,
    'email' as channel, 'unknown' as store,
    coalesce(generation, 'unknown') as generation, coalesce(gender, 'unknown') as gender,
    case when customer_id is null then 'unknown' else 'known' end as contact
from surveys
left join whose on system = 'web_shop' and whose.kind = 'survey_responses'
    and record_id = response_id
left join persons using (customer_id)
where surveys.kind in ('nps', 'csat')
"""

OTHERS = """
create table reach_words as
with told as (
    select customer_id as customer, channel, purpose, is_granted, said_at from words
    union all
    -- Who leaves the mailing list takes consent back; to be on it is no evidence of a wish.
    select customer_id, 'email', 'marketing', false, last_changed + interval 7 hour
    from subscribers inner join whose on system = 'email' and kind = 'customers'
        and record_id = md5(lower(email_address)) where status <> 'subscribed'
)
select told.*, cast(said_at as date) as day, channel || ':' || purpose as channel_purpose
from told;
create table reached_by as
with shown as (
    select 'web_shop' as system, 'customers' as kind, user_id as record_id, email, phone,
        cast(created_at as timestamp) as shown_at from members
    union all
    select 'tills', 'customers', member_number, email, phone,
        cast(enrolled_at as timestamp) + interval 7 hour from cards
    union all
    select 'web_shop', 'orders', order_id, guest_email, guest_phone, cast(ordered_at as timestamp)
    from orders
    union all
    select 'tills', 'orders', receipt_id, null, phone,
        cast(sold_at as timestamp) + interval 7 hour from receipts
    union all
    select 'email', 'customers', md5(lower(email_address)), email_address, null,
        timestamp_opt + interval 7 hour from subscribers
    union all
    select 'crm', 'conversations', conversation_id, email, phone, cast(opened_at as timestamp)
    from conversations
    union all
    select 'crm', 'leads', lead_id, email, phone, cast(created_at as timestamp) from leads
    union all
    select 'crm', 'calls', call_id, null, phone, cast(started_at as timestamp) from calls
    union all
    select 'crm', 'appointments', appointment_id, null, phone, cast(booked_at as timestamp)
    from appointments
)
select customer_id as customer,
    cast(min(shown_at) filter (email is not null) as date) as email_on,
    cast(min(shown_at) filter (phone is not null) as date) as phone_on
from shown inner join whose using (system, kind, record_id) where customer_id is not null
group by all;
create table enrolled as
select customer_id as customer, cast(cast(enrolled_at as timestamp) as date) as day
from enrolments inner join whose on system = 'crm' and kind = 'loyalty_enrolments'
    and record_id = enrolment_id;
create table referred as
select distinct customer_id as customer
from referrals inner join whose on system = 'crm' and kind = 'referrals'
    and record_id = referral_id where customer_id is not null
"""


@dataclass(frozen=True)
class Facts:
    """All that happened, or the part of it that lies in one value of a slice."""

    orders: list[Row]
    refunds: list[Row]
    parts: list[Row]
    visits: list[Row]
    carts: list[Row]
    sign_ups: list[Row]
    emails: list[Row]
    talks: list[Row]
    complaints: list[Row]
    contacts: list[Row]
    answers: list[Row]
    enrolled: list[Row]
    referred: list[Row]
    persons: list[Row]
    consents: list[Row]

    def of(self, slice_: str, value: str) -> "Facts":
        """Only what lies there; a fact that the slice does not speak of is in none of its values."""
        if slice_ == "category":  # of an order counts what lies in the category
            return replace(self, orders=[row for row in self.parts if row["category"] == value])
        always = (
            {"persons"} if slice_ in ("channel", "purpose", "channel_purpose") else {"consents"}
        )
        return Facts(
            **{
                field.name: [
                    row
                    for row in getattr(self, field.name)
                    if field.name in always or row.get(slice_) == value
                ]
                for field in fields(self)
            }
        )


_TABLES = {
    "orders": "select * from sales where is_completed",
    "refunds": "select * exclude (day), refunded_on as day from paid_back",
    "parts": "select * from parts",
    "visits": "select * from web_visits",
    "carts": "select * from cart_lives",
    "sign_ups": "select * from sign_ups",
    "emails": "select * from mailed",
    "talks": "select * from talks",
    "complaints": "select * from complaints",
    "contacts": "select * from contacts",
    "answers": "select * from answers_given",
    "enrolled": "select * from enrolled",
    "referred": "select * from referred",
    "persons": "select customer_id as customer, generation, gender, email_on, phone_on, "
    "cast(signed_up_at as date) as day from persons inner join first_shown using (customer_id) "
    "left join reached_by on customer = customer_id",
    "consents": "select * from reach_words",
}


def gather(connection: duckdb.DuckDBPyConnection, as_of: Any) -> Facts:
    """The facts, from the tables of `inputs` and `whose`."""
    for statements in (PERSONS, SESSIONS, ORDERS, REFUNDS, PARTS, VISITS, EMAILS, CARTS, TALKS, SIGN_UPS,
 COMPLAINTS, CONTACTS, ANSWERS, OTHERS):  # fmt: skip
        known = {"as_of": as_of} if "$as_of" in statements else None
        connection.execute(statements, known)
    return Facts(**{name: _rows(connection, sql) for name, sql in _TABLES.items()})


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
    found = connection.execute(sql)
    names = [column[0] for column in found.description]
    return [dict(zip(names, values, strict=True)) for values in found.fetchall()]


def days_of(rows: list[Row]) -> dict[str, set[date]]:
    """The days of each known customer."""
    days: dict[str, set[date]] = {}
    for row in rows:
        if row["customer"]:
            days.setdefault(row["customer"], set()).add(row["day"])
    return days


def times_of(rows: list[Row]) -> dict[str, list[datetime]]:
    """When each known customer ordered."""
    times: dict[str, list[datetime]] = {}
    for row in rows:
        if row["customer"]:
            times.setdefault(row["customer"], []).append(row["ordered_at"])
    return times
