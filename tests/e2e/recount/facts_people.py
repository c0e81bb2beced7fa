"""Who the customers are, when they came, what became of them, how they can be reached."""

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
    select customer_id, cast(starts_at as timestamp), 'store', 'unknown', 'unknown'
    from appointments
    inner join whose on system = 'crm' and kind = 'appointments' and record_id = appointment_id
    union all
    select customer_id, occurred_at + interval 7 hour, 'email', 'unknown', campaign_id
    from activity inner join whose on system = 'email' and kind = 'customers'
        and record_id = address
    where action in ('open', 'click')
    union all
    select customer_id, answered_at, 'email', 'unknown', 'unknown'
    from surveys inner join whose on system = 'web_shop' and whose.kind = 'survey_responses'
        and record_id = response_id
    union all
    -- To recommend is something that the one does who recommends.
    select customer_id, cast(referred_at as timestamp), 'unknown', 'unknown', 'unknown'
    from referrals
    inner join whose on system = 'crm' and kind = 'referrers' and record_id = referral_id
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
    union all select 'crm', 'calls', call_id, cast(started_at as timestamp) from calls
    union all select 'crm', 'appointments', appointment_id, cast(booked_at as timestamp)
        from appointments
    union all select 'crm', 'loyalty_enrolments', enrolment_id, cast(enrolled_at as timestamp)
        from enrolments
    union all select 'crm', 'referrals', referral_id, cast(referred_at as timestamp) from referrals
    union all select 'crm', 'coupon_redemptions', redemption_id, cast(redeemed_at as timestamp)
        from redemptions
    union all select 'crm', 'referrers', referral_id, cast(referred_at as timestamp) from referrals
),
seen as (
    select customer_id, shown_at from shown inner join whose using (system, kind, record_id)
    where is_named
    union all
    select customer, occurred_at from numbered
    inner join web_visits using (browser, session_number)
    where coalesce(user_id, email, phone) is not null
    union all
    -- The page that thanks for an order tells of its buyer before the shop's clock does.
    select customer_id, occurred_at from numbered
    inner join whose on system = 'web_shop' and kind = 'orders' and record_id = order_id
        and is_named_by_value
)
select customer_id, min(shown_at) as signed_up_at
from seen where customer_id is not null group by all;
create table sign_ups as
with bought as (
    select customer as customer_id, min(ordered_at) as first_at from sales
    where is_completed group by all
),
asked as (
    select customer_id, cast(contacted_at as timestamp) as contacted_at, outcome
    from leads inner join whose on system = 'crm' and kind = 'leads' and record_id = lead_id
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
    bool_or(contacted_at between signed_up_at and signed_up_at + interval 7 day)
        and coalesce(bool_or(outcome = 'unqualified'), false) as is_unqualified
from first_shown left join persons using (customer_id) left join bought using (customer_id)
left join first_touches using (customer_id)
left join asked using (customer_id)
where signed_up_at >= (select min(occurred_at) from events)
group by all
"""

OTHERS = """
create table contacts_shown as
with records as (
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
    select 'crm', 'referrals', referral_id, email, phone, cast(referred_at as timestamp)
    from referrals
    union all
    select 'crm', 'calls', call_id, null, phone, cast(started_at as timestamp) from calls
    union all
    select 'crm', 'appointments', appointment_id, null, phone, cast(booked_at as timestamp)
    from appointments
)
select customer_id as customer, email, phone, shown_at, kind <> 'calls' as is_record
from records inner join whose using (system, kind, record_id);
create macro subscriber_number(phone) as right(regexp_replace(phone, '[^0-9]', '', 'g'), 9);
create table reach_words as
with told as (
    select customer_id as customer, channel, purpose, is_granted, said_at from words
    union all
    -- Who leaves the mailing list takes consent back; to be on it is no evidence of a wish.
    select customer_id, 'email', 'marketing', false, last_changed + interval 7 hour
    from subscribers inner join whose on system = 'email' and kind = 'customers'
        and record_id = md5(lower(email_address)) where status <> 'subscribed'
    union all
    -- Who wants no more calls; at a number that several share, each who holds it.
    select coalesce(whose_call.customer_id, customer), 'phone', refused.purpose, false,
        cast(started_at as timestamp)
    from calls inner join whose_call using (call_id)
    left join contacts_shown as held on whose_call.customer_id is null
        and subscriber_number(held.phone) = subscriber_number(calls.phone)
    cross join (values ('marketing'), ('survey'), ('advertising')) as refused (purpose)
    where outcome = 'do_not_call' and coalesce(whose_call.customer_id, customer) is not null
)
select told.*, cast(said_at as date) as day, channel || ':' || purpose as channel_purpose
from told;
create table reached_by as
with shown as (
    select * from contacts_shown
    union all
    select web_visits.customer, email, phone, occurred_at, false
    from numbered inner join web_visits using (browser, session_number)
    union all
    select customer_id, guest_email, guest_phone, numbered.occurred_at, false
    from numbered inner join orders using (order_id)
    inner join whose on system = 'web_shop' and kind = 'orders' and record_id = order_id
    left join web_visits using (browser, session_number)
    where is_named_by_value or web_visits.customer = customer_id
),
valid as (
    select shown.* exclude (phone), is_valid_phone(phone) as is_phone
    from shown
)
-- A number or address is somebody's when a record of theirs says so, from when it was first shown.
select customer,
    if(bool_or(is_record and email is not null),
        cast(min(shown_at) filter (email is not null) as date), null) as email_on,
    if(bool_or(is_record and is_phone),
        cast(min(shown_at) filter (is_phone) as date), null) as phone_on
from valid where customer is not null group by all;
create table accounts_held as
with shown as (
    select customer_id as customer, cast(created_at as timestamp) as shown_at
    from members inner join whose on system = 'web_shop' and kind = 'customers'
        and record_id = user_id
    union all
    select customer, occurred_at
    from numbered inner join web_visits using (browser, session_number)
    where user_id is not null
)
select customer, cast(min(shown_at) as date) as account_on
from shown where customer is not null group by all;
create table enrolled as
select customer_id as customer, cast(cast(enrolled_at as timestamp) as date) as day
from enrolments inner join whose on system = 'crm' and kind = 'loyalty_enrolments'
    and record_id = enrolment_id;
create table referred as
select distinct customer_id as customer
from referrals inner join whose on system = 'crm' and kind = 'referrals'
    and record_id = referral_id where customer_id is not null
"""
