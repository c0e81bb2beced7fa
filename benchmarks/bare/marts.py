"""The least SQL from the lake to marts: no gates, no history, no ids that stay, one process."""

import time
from pathlib import Path

import duckdb

_TEXTS = {
    "properties": ["product_id", "name", "category", "cart_id", "order_id", "query", "price",
                   "quantity", "total"],
    "traits": ["email", "phone"],
    "context": ["page.path", "page.url", "page.referrer", "campaign.source", "campaign.medium",
                "campaign.name", "device.id", "device.type", "locale"],
}  # fmt: skip
_FIELDS = ", ".join(
    f"{column} ->> '$.{path}' as {column}_{path.replace('.', '_')}"
    for column, paths in _TEXTS.items()
    for path in paths
)
_TYPED = f"""
create table events as select message_id, event, type, anonymous_id, user_id, occurred_at, {_FIELDS}
    from read_parquet('$lake/raw_web_events/events/*.parquet');
create table orders as
    select 'web_shop' as source, order_id, user_id as person, email, phone, cart_id, null as store,
        ordered_at, status
    from read_parquet('$lake/raw_web_shop/orders/*.parquet')
    qualify row_number() over (partition by order_id order by updated_at desc) = 1
    union all
    select 'tills', order_id, member_number, email, phone, null, store_id, ordered_at, status
    from read_parquet('$lake/raw_tills/orders/*.parquet')
    qualify row_number() over (partition by order_id order by updated_at desc) = 1;
create table order_lines as
    select 'web_shop' as source, order_line_id, order_id, product_id, units, line_amount
    from read_parquet('$lake/raw_web_shop/order_lines/*.parquet')
    union all
    select 'tills', order_line_id, order_id, product_id, units, line_amount
    from read_parquet('$lake/raw_tills/order_lines/*.parquet');
create table people as
    select 'web_shop' as source, record_id, user_id as person, email, phone, full_name, birth_date,
        gender, province, updated_at
    from read_parquet('$lake/raw_web_shop/customers/*.parquet')
    qualify row_number() over (partition by record_id order by updated_at desc) = 1
    union all
    select 'tills', record_id, member_number, email, phone, full_name, birth_date, gender, province,
        updated_at
    from read_parquet('$lake/raw_tills/customers/*.parquet')
    qualify row_number() over (partition by record_id order by updated_at desc) = 1;
"""
_SESSIONS = """
create table session_events as
    with gaps as (
        select message_id, event, anonymous_id, user_id, occurred_at, context_campaign_source,
            occurred_at - lag(occurred_at) over visitors > interval 30 minute as is_pause
        from events window visitors as (partition by anonymous_id order by occurred_at)
    )
    select * exclude (is_pause), count_if(is_pause) over (
            partition by anonymous_id order by occurred_at rows unbounded preceding
        ) as session_number
    from gaps;
create table sessions as
    select anonymous_id, session_number, max(user_id) as user_id, min(occurred_at) as started_at,
        max(occurred_at) as ended_at, count(*) as events,
        arg_min(context_campaign_source, occurred_at) as traffic_source,
        bool_or(event = 'Order Completed') as has_order
    from session_events group by all;
"""
_EDGES = """
create macro digits(phone) as right(regexp_replace(phone, '\\D', '', 'g'), 9);
create table edges as
    select distinct source || ':' || person as one, 'email:' || lower(trim(email)) as other
    from people where email <> ''
    union select source || ':' || person, 'phone:' || digits(phone) from people where phone <> ''
    union select coalesce(source || ':' || person, source || ':order:' || order_id),
        'email:' || lower(trim(email)) from orders where email <> ''
    union select coalesce(source || ':' || person, source || ':order:' || order_id),
        'phone:' || digits(phone) from orders where phone <> ''
    union select 'web_shop:' || user_id, 'browser:' || anonymous_id from events where user_id <> '';
create table owners as  -- not yet whom components would join: the least of a person's neighbours
    select one as person, min(least(one, other)) as customer from edges group by all;
"""
_MARTS = """
create table order_totals as
    select orders.*, lines.units, lines.amount, coalesce(owners.customer, orders.source || ':' ||
        orders.person) as customer
    from orders
    left join (select source, order_id, sum(units) as units, sum(line_amount) as amount
        from order_lines group by all) as lines using (source, order_id)
    left join owners on owners.person = orders.source || ':' || orders.person;
create table rfm as
    select *, 1 + floor(5 * least(percent_rank() over (order by last_at), 0.999)) as recency,
        1 + floor(5 * least(percent_rank() over (order by days), 0.999)) as frequency,
        1 + floor(5 * least(percent_rank() over (order by amount), 0.999)) as monetary
    from (
        select customer, max(ordered_at) as last_at, min(ordered_at) as first_at,
            count(distinct ordered_at::date) as days, count(*) as orders, sum(amount) as amount,
            sum(units) as units, count_if(source = 'tills') as store_orders
        from order_totals where customer is not null and status not in ('cancelled', 'pending')
        group by customer
    );
create table customers as
    select coalesce(owners.customer, people.source || ':' || people.person) as customer,
        arg_max(full_name, updated_at) as full_name, arg_max(email, updated_at) as email,
        arg_max(phone, updated_at) as phone, arg_max(province, updated_at) as province,
        any_value(rfm) as rfm, any_value(visits) as visits,
        any_value(last_visit_at) as last_visit_at
    from people
    left join owners on owners.person = people.source || ':' || people.person
    left join rfm on rfm.customer = owners.customer
    left join (select 'web_shop' as source, user_id, count(*) as visits,
            max(started_at) as last_visit_at
        from sessions where user_id <> '' group by all) as web
        on web.source = people.source and web.user_id = people.person
    group by all;
create table revenue as
    select ordered_at::date as day, source, store, count(*) as orders, sum(amount) as amount,
        count(distinct customer) as customers
    from order_totals group by all;
create table traffic as
    select started_at::date as day, traffic_source, count(*) as sessions,
        count_if(has_order) as with_order
    from sessions group by all;
"""


def build(lake: Path, folder: Path) -> float:
    """Build everything from the lake into a new file below `folder`, then as Parquet; seconds."""
    folder.mkdir(exist_ok=True)
    path = folder / "bare.duckdb"
    path.unlink(missing_ok=True)
    started = time.perf_counter()
    with duckdb.connect(str(path)) as database:
        database.execute("set threads = 2; set memory_limit = '4GB'; set TimeZone = 'UTC'")
        database.execute("set preserve_insertion_order = false; set enable_progress_bar = false")
        for statements in (_TYPED, _SESSIONS, _EDGES, _MARTS):
            database.execute(statements.replace("$lake", str(lake)))
        for table in ("customers", "orders", "order_lines", "sessions", "session_events"):
            database.execute(f"copy {table} to '{folder}/{table}.parquet'")
    return time.perf_counter() - started
