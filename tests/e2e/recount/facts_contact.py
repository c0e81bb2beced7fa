"""What the business and its customers told each other."""

EMAILS = """
create table mailed as
with did as (
    select campaign_id, address, bool_or(action = 'bounce') as is_bounced,
        bool_or(action = 'open') as is_opened, bool_or(action = 'click') as is_clicked
    from activity group by all
),
done as (
    -- The platform tells one time per campaign; of one that writes daily, the draw tells more.
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
    true as is_conversation, order_id,
    coalesce(generation, 'unknown') as generation, coalesce(gender, 'unknown') as gender,
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
    select sent_at as begun_at, customer, mailed.generation, mailed.gender, contact,
        'email' as channel, mailed.campaign, mailed.day,
        30 as cost, null as is_answered, false as is_sales_call
    from mailed
    union all
    select began_at, customer, generation, gender, contact, channel, 'unknown', day, 0, null, false
    from talks where is_conversation and initiated_by = 'business'
    union all
    select cast(started_at as timestamp), customer_id, coalesce(generation, 'unknown'),
        coalesce(gender, 'unknown'), if(customer_id is null, 'unknown', 'known'),
        'phone', campaign,
        cast(cast(started_at as timestamp) as date), 0, answered = 'true', purpose = 'sales'
    from calls left join whose_call using (call_id)
    left join persons using (customer_id)
    where direction = 'outbound'
)
select *,
    -- Of several times that a campaign turned to one person, the first counts.
    campaign <> 'unknown' and (customer is null or row_number() over (
        partition by campaign, customer order by begun_at) = 1) as is_recipient,
    exists (select 1 from refusals where customer_id = customer
        and refused_at > begun_at and refused_at <= begun_at + interval 3 day) as is_unwanted,
    customer is not null and not exists (select 1 from sales
        where sales.customer = begun.customer and is_completed
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
