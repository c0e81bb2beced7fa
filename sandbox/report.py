"""How hard the data is, measured on the files that were written, beside the least it must be.

Only who a record belongs to comes from the truth; every value is read from the delivered files.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from sandbox import report_crm
from sandbox.handwriting import OLD_PREFIXES
from sandbox.schemas import SHOP_TABLES, TILL_TABLES

# Metric -> (least, most). The shares are of: people, people, devices, sign-ups, receipts, records,
# records, e-mails, buyers, events, lines, (days), events.
BARS: dict[str, tuple[float, float]] = {
    "people_with_two_or_more_emails": (0.12, 1.0),
    "people_on_a_shared_phone": (0.08, 1.0),
    "devices_used_by_two_or_more_people": (0.06, 1.0),
    "sign_ups_on_store_tablets": (0.03, 1.0),
    "receipts_without_member_number": (0.30, 1.0),
    "names_typed_wrong": (0.04, 1.0),
    "phones_typed_wrong": (0.04, 1.0),
    "emails_shared_or_reused": (0.05, 1.0),
    "buyers_on_both_channels": (0.20, 1.0),
    "duplicate_events": (0.01, 1.0),
    "malformed_lines": (0.001, 1.0),
    "latest_event_days": (2.0, 3.0),
    "late_events": (0.005, 1.0),
    **report_crm.BARS,
}

_CONTACTS = """
create temp view emails_written as
with raw as (
    select 'web_shop' as source, 'customers' as kind, user_id as id, email from shop_members
    union all select 'web_shop', 'orders', order_id, guest_email from shop_orders
    union all select 'tills', 'customers', member_number, email from till_members
    union all select 'email', 'customers', md5(email_address), email_address from mail_members
    union all select 'web_shop', 'survey_responses', response_id, email from surveys
    union all select 'crm', 'leads', lead_id, email from crm_leads
    union all select 'crm', 'conversations', conversation_id, email from crm_conversations
)
select distinct person_id, lower(trim(email)) as email
from raw join truth on raw.source = truth.source and kind = truth.record_kind and id = record_id
where email is not null;

create temp view phones_written as
with raw as (
    select 'web_shop' as source, 'customers' as kind, user_id as id, phone from shop_members
    union all select 'web_shop', 'orders', order_id, guest_phone from shop_orders
    union all select 'tills', 'customers', member_number, phone from till_members
    union all select 'tills', 'orders', receipt_id, phone from till_receipts
    union all select 'crm', 'conversations', conversation_id, phone from crm_conversations
    union all select 'crm', 'calls', call_id, phone from crm_calls
    union all select 'crm', 'leads', lead_id, phone from crm_leads
    union all select 'crm', 'appointments', appointment_id, phone from crm_appointments
), digits as (
    select * exclude (phone), regexp_replace(
        regexp_replace(phone, '[^0-9]', '', 'g'), '^(84|0)', '') as written
    from raw where phone is not null
)
select person_id, digits.source, kind, id,
    coalesce(prefixes.now || substr(written, 4), written) as phone
from digits
left join prefixes on length(written) = 10 and left(written, 3) = prefixes.old
join truth on digits.source = truth.source and kind = truth.record_kind and id = record_id;

create temp view names_written as
with raw as (
    select 'web_shop' as source, 'customers' as kind, user_id as id, full_name from shop_members
    union all select 'web_shop', 'orders', order_id, guest_name from shop_orders
    union all select 'tills', 'customers', member_number, full_name from till_members
    union all select 'crm', 'leads', lead_id, full_name from crm_leads
    union all select 'crm', 'appointments', appointment_id, full_name from crm_appointments
)
select person_id, full_name, raw.source, id
from raw join truth on raw.source = truth.source and kind = truth.record_kind and id = record_id
where full_name is not null;

create temp macro folded(name) as
    replace(strip_accents(lower(trim(name))), 'đ', 'd');
"""

_QUERIES = {
    "people_with_two_or_more_emails": """
        select count(*) / (select count(*) from people) from (
            select person_id from emails_written group by 1 having count(*) >= 2)""",
    "people_on_a_shared_phone": """
        select count(distinct person_id) / (select count(*) from people) from phones_written
        where phone in (select phone from phones_written group by 1
            having count(distinct person_id) >= 2)""",
    "devices_used_by_two_or_more_people": """
        select avg((people >= 2)::int) from (
            select count(distinct person_id) as people from truth
            where record_kind = 'devices' group by record_id)""",
    "receipts_without_member_number": """
        select avg((member_number is null)::int) from (
            select distinct receipt_id, member_number from till_receipts)""",
    "names_typed_wrong": """
        select avg((folded(names_written.full_name) <> folded(people.full_name))::int)
        from (select distinct * from names_written) as names_written
        join people using (person_id)""",
    "phones_typed_wrong": """
        select avg((written.phone not in (people.phone[4:], people.second_phone[4:]))::int)
        from (select distinct * from phones_written) as written join people using (person_id)""",
    "emails_shared_or_reused": """
        select avg((people >= 2)::int) from (
            select count(distinct person_id) as people from emails_written group by email)""",
    "buyers_on_both_channels": """
        select avg((channels = 2)::int) from (
            select count(distinct source) as channels from truth
            where record_kind = 'orders' group by person_id)""",
    **report_crm.QUERIES,
}

_FACTS = """
insert into facts
select is_good, hash(regexp_extract(line, '"messageId":"([^"]+)"', 1)),
    is_good and contains(line, '"event":"Signed Up"'),
    is_good and contains(line, '"method":"store_tablet"'),
    case when is_good then epoch(regexp_extract(line, '"receivedAt":"([^"]+)"', 1)::timestamptz)
        - epoch(regexp_extract(line, '"originalTimestamp":"([^"]+)"', 1)::timestamptz) end
from (select line, json_valid(line) as is_good from lines)
"""
_EVENTS = """
select count(*) filter (is_tablet) / count(*) filter (is_sign_up),
    1 - count(distinct message) filter (is_good) / count(*) filter (is_good),
    count(*) filter (not is_good) / count(*),
    max(delay) / 86400,
    avg((delay > 3600)::int)
from facts
"""
_EVENT_METRICS = ("sign_ups_on_store_tablets", "duplicate_events", "malformed_lines",
                  "latest_event_days", "late_events")  # fmt: skip


def measure(root: Path) -> dict[str, dict[str, Any]]:
    """Metric -> {value, bar, ok}, over everything delivered so far."""
    with duckdb.connect() as con:
        con.execute("set memory_limit = '4GB'; set TimeZone = 'UTC'")
        con.execute("set temp_directory = ?", [str(root / ".report.tmp")])
        _open_files(con, root)
        found = {name: _one(con, query)[0] for name, query in _QUERIES.items()}
        _read_events(con, root / "exports/web_events")
        values = con.execute(_EVENTS).fetchone() or (None,) * 5
        found |= dict(zip(_EVENT_METRICS, values, strict=True))
    return {
        name: {
            "value": round(float(found[name] or 0), 4),
            "bar": least if most == 1.0 else f"{least:g} to {most:g}",
            "ok": least <= float(found[name] or 0) <= most,
        }
        for name, (least, most) in BARS.items()
    }


def _read_events(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Table `facts`: one row per line that was written, broken ones included."""
    con.execute("create temp table facts (is_good boolean, message ubigint, is_sign_up boolean, "
                "is_tablet boolean, delay double)")  # fmt: skip
    for file in sorted(folder.glob("events-*.gz")):
        with gzip.open(file) as content:
            # Some broken lines are not UTF-8; a replacement letter leaves them broken.
            text = content.read().decode("utf-8", "replace").encode()
        ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n")).astype(np.int32)
        offsets = np.concatenate([[0], ends + 1]).astype(np.int32)
        lines = pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(text))
        con.register("lines", pa.table({"line": lines}))
        con.execute(_FACTS)
        con.unregister("lines")


def _one(con: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    return con.execute(query).fetchone() or (None,)


def _open_files(con: duckdb.DuckDBPyConnection, root: Path) -> None:
    """Views on the delivered files and the truth; the latest row of a record is not special."""
    shop, till, mail = root / "exports/web_shop", root / "tills/inbox", root / "mailchimp/inbox"
    views = {
        "shop_members": _csv(f"{shop}/members-*.csv", SHOP_TABLES["members"]),
        "shop_orders": _csv(f"{shop}/orders-*.csv", SHOP_TABLES["orders"]),
        "till_members": _csv(f"{till}/*/members.csv", TILL_TABLES["members"]),
        "till_receipts": _csv(f"{till}/*/receipts.csv", TILL_TABLES["receipts"]),
        "mail_members": f"read_parquet('{mail}/*/members.parquet')",
        "surveys": f"read_json('{shop}/surveys-*.ndjson', format = 'newline_delimited', "
        "columns = {response_id: 'varchar', email: 'varchar', kind: 'varchar', answers: 'json'})",
        "people": f"read_parquet('{root}/truth/people.parquet')",
        "truth": f"read_parquet('{root}/truth/records.parquet')",
    }
    for name, reader in views.items():
        con.execute(f"create temp table {name} as from {reader}")
    report_crm.open_files(con, root)
    con.execute("create temp table prefixes (old varchar, now varchar)")
    con.executemany(
        "insert into prefixes values (?, ?)", [(v, str(k)) for k, v in OLD_PREFIXES.items()]
    )
    con.execute(_CONTACTS)


def _csv(pattern: str, schema: pa.Schema) -> str:
    columns = dict.fromkeys(schema.names, "varchar")
    return (f"read_csv('{pattern}', header = true, auto_detect = false, delim = ',', "
            f"quote = '\"', escape = '\"', columns = {columns})")  # fmt: skip
