"""What the CRM's files and the surveys show, each figure with the least it must be.

Views of `report.py`: `people`, `truth`, `till_receipts`; and of here: the newest row of each
conversation, lead and appointment, the calls, the referrals, the orders with their person.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

# Metric -> (least, most). The shares are of: conversations (three), live chats (two), sales calls
# (two), records of people, leads (two), consultations, referrals, answers about lifestyle.
BARS: dict[str, tuple[float, float]] = {
    "conversations_never_answered": (0.03, 0.5),
    "conversations_left_open": (0.05, 0.5),
    "conversations_again_within_a_week": (0.03, 0.5),
    "chats_without_account": (0.20, 1.0),
    "chats_before_a_store_purchase": (0.05, 1.0),
    "sales_calls_unanswered": (0.15, 0.9),
    "sales_calls_that_made_an_order": (0.01, 0.5),
    "crm_records_by_phone_alone": (0.15, 1.0),
    "leads_never_contacted": (0.05, 0.9),
    "leads_unqualified": (0.04, 0.5),
    "advice_without_purchase": (0.20, 0.95),
    "referred_people_who_ordered": (0.10, 1.0),
    "lifestyle_answers_that_fit": (0.60, 0.98),
}
_VERSIONED = {"conversations": "conversation_id", "leads": "lead_id",
              "appointments": "appointment_id"}  # fmt: skip
_ORDERS = """
create temp table made as
select person_id, truth.source, coalesce(web.made_at, receipts.made_at) as made_at
from truth
left join (select order_id, min(cast(ordered_at as timestamp)) as made_at from shop_orders
    group by 1) as web on web.order_id = record_id
left join (select receipt_id, min(cast(sold_at as timestamp)) + interval 7 hour as made_at
    from till_receipts group by 1) as receipts on receipts.receipt_id = record_id
where record_kind = 'orders'
"""
_BY = "join truth on truth.source = 'crm' and record_kind = '{0}' and record_id = {1}"
QUERIES = {
    "conversations_never_answered": "select avg((first_answered_at is null)::int) "
    "from crm_conversations",
    "conversations_left_open": "select avg((status = 'open')::int) from crm_conversations",
    "conversations_again_within_a_week": f"""
        select avg(coalesce(opened_at - before < interval 7 day, false)::int) from (
            select opened_at, lag(opened_at) over (partition by person_id, topic order by opened_at,
                conversation_id) as before
            from crm_conversations {_BY.format("conversations", "conversation_id")})""",
    "chats_without_account": "select avg((user_id is null)::int) from crm_conversations "
    "where channel = 'livechat'",
    "chats_before_a_store_purchase": f"""
        with chats as (select person_id, opened_at
            from crm_conversations {_BY.format("conversations", "conversation_id")}
            where channel = 'livechat')
        select count(*) / (select count(*) from chats) from chats semi join (
            select person_id, made_at from made where source = 'tills') as bought
        on chats.person_id = bought.person_id and made_at > opened_at
            and made_at < opened_at + interval 7 day""",
    "sales_calls_unanswered": "select avg((not answered)::int) from crm_calls "
    "where purpose = 'sales'",
    "sales_calls_that_made_an_order": """
        select (select count(*) from causes where cause = 'call')
            / (select count(*) from crm_calls where purpose = 'sales')""",
    "crm_records_by_phone_alone": """
        select avg((phone is not null and other is null)::int) from (
            select phone, coalesce(user_id, visitor_id, zalo_id, email) as other
            from crm_conversations
            union all select phone, member_number from crm_calls
            union all select phone, email from crm_leads
            union all select phone, member_number from crm_appointments)""",
    "leads_never_contacted": "select avg((contacted_at is null)::int) from crm_leads",
    "leads_unqualified": "select avg((coalesce(outcome, '') = 'unqualified')::int) from crm_leads",
    "advice_without_purchase": f"""
        select avg((made.person_id is null)::int)
        from crm_appointments {_BY.format("appointments", "appointment_id")}
        left join (select distinct person_id, made_at::date as made_on from made
            where source = 'tills') as made
            on truth.person_id = made.person_id and starts_at::date = made_on
        where status = 'completed'""",
    "referred_people_who_ordered": f"""
        select avg((person_id in (select person_id from made))::int)
        from crm_referrals {_BY.format("referrals", "referral_id")}""",
    "lifestyle_answers_that_fit": """
        select avg((cast(answers ->> people.value as integer) = greatest(
            cast(answers ->> 'trend' as integer), cast(answers ->> 'quality' as integer),
            cast(answers ->> 'price' as integer), cast(answers ->> 'community' as integer)))::int)
        from surveys
        join truth on truth.source = 'web_shop' and record_kind = 'survey_responses'
            and record_id = response_id
        join people using (person_id)
        where kind = 'lifestyle'""",
}  # fmt: skip


def open_files(con: duckdb.DuckDBPyConnection, root: Path) -> None:
    """The views that `QUERIES` read, beside those of `report.py`."""
    crm = root / "exports" / "crm"
    for name in ("conversations", "calls", "leads", "appointments", "referrals"):
        newest = (
            f"qualify row_number() over (partition by {_VERSIONED[name]} order by updated_at desc)"
            " = 1" if name in _VERSIONED else ""
        )  # fmt: skip
        con.execute(
            f"create temp table crm_{name} as select * from read_csv('{crm}/{name}-*.csv', "
            f"header = true, delim = ',', quote = '\"', types = {{'phone': 'varchar'}}, "
            f"nullstr = '') {newest}"
        )
    causes = root / "truth" / "journal" / "causes-*.parquet"
    con.execute(f"create temp view causes as from read_parquet('{causes}')")
    con.execute(_ORDERS)
