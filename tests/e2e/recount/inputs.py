"""What the simulated systems hold, as DuckDB tables: newest row of each key, local times.

| table | file below `$KHACH_HOME/sandbox` |
|---|---|
| members, products, orders, order_lines, refunds, consents, campaigns | `exports/web_shop` |
| surveys, experiments | `exports/web_shop` |
| conversations, calls, leads, enrolments, referrals, ... | `exports/crm` |
| stores, cards, receipts, receipt_lines, returns, till_consents | `tills/inbox` (UTC) |
| sends, activity, unsubscribes | `mailchimp/inbox` (UTC) |
| subscribers | `mailchimp/state.sqlite` (UTC): what earlier runs' syncs did is in no inbox |
| events | `exports/web_events` (UTC), each message once, broken lines left out |
| visits | `truth/journal` |
| whose | the product's answer: source, record_kind, record_id, customer_id |
"""

import gzip
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

import duckdb
import phonenumbers
import pyarrow as pa
from duckdb.sqltypes import BOOLEAN, VARCHAR

_SHOP = {
    "members": ("members", "user_id", "updated_at"),
    "products": ("products", "product_id", "updated_at"),
    "orders": ("orders", "order_id", "updated_at"),
    "order_lines": ("order_lines", "order_line_id", "''"),
    "refunds": ("refunds", "refund_id", "refunded_at"),
    "consents": ("consents", "consent_id", "occurred_at"),
    "campaigns": ("campaigns", "campaign_id", "''"),
}
_CRM = {
    "conversations": ("conversations", "conversation_id", "updated_at"),
    "calls": ("calls", "call_id", "started_at"),
    "leads": ("leads", "lead_id", "updated_at"),
    "enrolments": ("loyalty_enrolments", "enrolment_id", "updated_at"),
    "referrals": ("referrals", "referral_id", "referred_at"),
    "redemptions": ("coupon_redemptions", "redemption_id", "redeemed_at"),
    "appointments": ("appointments", "appointment_id", "updated_at"),
}
_TILLS = {
    "stores": ("stores", "store_id", "updated_at"),
    "cards": ("members", "member_number", "updated_at"),
    "receipts": ("receipts", "receipt_id", "updated_at"),
    "receipt_lines": ("receipt_lines", "receipt_line_id", "updated_at"),
    "returns": ("returns", "return_id", "returned_at"),
    "till_consents": ("consents", "consent_id", "occurred_at"),
}
_EVENT = pa.schema(
    [
        (name, pa.string())
        for name in (
            "message_id", "browser", "user_id", "event", "cart_id", "order_id",
            "email", "phone", "source", "campaign", "occurred_at",
        )
    ]
)  # fmt: skip
_CSV = "all_varchar = true, header = true, delim = ',', quote = '\"', filename = true"


def read(home: Path) -> duckdb.DuckDBPyConnection:
    """All tables of the installation whose $KHACH_HOME this is."""
    connection = duckdb.connect()
    box = home / "sandbox"
    for tables, pattern in (
        (_SHOP, "exports/web_shop/{}-*.csv"),
        (_CRM, "exports/crm/{}-*.csv"),
        (_TILLS, "tills/inbox/*/{}.csv"),
    ):
        for name, (file, key, version) in tables.items():
            found = f"read_csv('{box / pattern.format(file)}', {_CSV})"
            _newest(connection, name, found, key, version)
    surveys = box / "exports/web_shop/surveys-*.ndjson"
    _newest(connection, "surveys", f"read_json('{surveys}', filename = true)", "response_id", "''")
    for name in ("sends", "activity", "unsubscribes"):
        files = f"read_parquet('{box}/mailchimp/inbox/*/{name}.parquet', filename = true)"
        connection.execute(
            f"create table {name} as select *, md5(lower(email_address)) as address, "
            f"cast(split_part(filename, '/', -2) as date) as delivered_on from {files}"
        )
    _subscribers(connection, box)
    for name, pattern in (
        ("experiments", "exports/web_shop/experiments-*"),
        ("visits", "truth/journal/visits-*"),
    ):
        files = f"read_parquet('{box / pattern}.parquet')"
        connection.execute(f"create table {name} as select distinct * from {files}")
    _events(connection, box)
    connection.create_function("is_valid_phone", _is_valid_phone, [VARCHAR], BOOLEAN)
    return connection


@cache
def _is_valid_phone(phone: str) -> bool:
    """Whether Vietnam's numbering plan has it, or had it before the mobile prefixes of 2018."""
    national = re.sub(r"\D", "", phone).removeprefix("84").removeprefix("0")
    if re.fullmatch(r"1(2\d|6[2-9]|86|88|99)\d{7}", national):
        return True
    return phonenumbers.is_valid_number(phonenumbers.parse(f"+84{national}"))


def _newest(
    connection: duckdb.DuckDBPyConnection, name: str, found: str, key: str, version: str
) -> None:
    connection.execute(
        f"create table {name} as with delivered as (select *, row_number() over () as place "
        f"from {found}) select * exclude (place, filename) from delivered qualify row_number() "
        f"over (partition by {key} order by {version} desc, filename desc, place desc) = 1"
    )


def _subscribers(connection: duckdb.DuckDBPyConnection, box: Path) -> None:
    with closing(sqlite3.connect(box / "mailchimp" / "state.sqlite")) as platform:
        rows = platform.execute(
            "select email_address, status, timestamp_opt, last_changed from members"
        ).fetchall()
    columns = (pa.array(column, pa.string()) for column in zip(*rows, strict=True))
    names = ["email_address", "status", "opted_at", "changed_at"]
    connection.register("listed", pa.table(list(columns), names=names))
    connection.execute(
        "create table subscribers as select email_address, status, "
        "cast(left(opted_at, 19) as timestamp) as timestamp_opt, "
        "cast(left(changed_at, 19) as timestamp) as last_changed from listed"
    )
    connection.unregister("listed")
    # What this very run's syncs did, at the clock's present, it had not seen: the inbox tells.
    clock = json.loads((box / "clock.json").read_text(encoding="utf-8"))["now"]
    files = f"read_parquet('{box}/mailchimp/inbox/*/members.parquet', filename = true)"
    _newest(connection, "delivered_members", files, "lower(email_address)", "last_changed")
    connection.execute(
        "update subscribers set status = told.status, last_changed = told.last_changed "
        "from delivered_members as told "
        "where lower(told.email_address) = lower(subscribers.email_address) "
        "and subscribers.last_changed >= cast(replace(?, 'Z', '') as timestamp)",
        [clock],
    )


def _events(connection: duckdb.DuckDBPyConnection, box: Path) -> None:
    told = _told(sorted((box / "exports" / "web_events").glob("*.ndjson.gz")))
    connection.register("told", pa.Table.from_pylist(list(told), schema=_EVENT))
    connection.execute(
        "create table events as select * exclude (occurred_at), "
        "cast(replace(occurred_at, 'Z', '') as timestamp) + interval 7 hour as occurred_at "
        "from told qualify row_number() over (partition by message_id order by occurred_at) = 1"
    )
    connection.unregister("told")


def _told(files: list[Path]) -> Iterator[dict[str, str | None]]:
    """What each line says, of those that are JSON."""
    for file in files:
        for line in gzip.decompress(file.read_bytes()).split(b"\n"):
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if not isinstance(event, dict) or not event.get("messageId"):
                continue
            properties, traits = event["properties"] or {}, event["traits"] or {}
            campaign = event["context"].get("campaign") or {}
            yield {
                "message_id": event["messageId"],
                "browser": event["anonymousId"],
                "user_id": event["userId"],
                "event": event["event"],
                "cart_id": properties.get("cart_id"),
                "order_id": properties.get("order_id"),
                "email": traits.get("email"),
                "phone": traits.get("phone"),
                "source": campaign.get("source"),
                "campaign": campaign.get("name"),
                "occurred_at": event["timestamp"],
            }
