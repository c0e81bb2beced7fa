"""Days of a simulated e-mail platform for tests: written as the simulation writes them."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sandbox import mailchimp

LIST = "a1b2c3d4e5"
KEY = "0123456789abcdef0123456789abcdef-us1"
FIRST = datetime(2024, 3, 1, 5, 0, tzinfo=UTC)
SECOND = datetime(2024, 3, 2, 6, 30, tzinfo=UTC)

_TIME = pa.timestamp("us", tz="UTC")
_TEXT = pa.string()
SCHEMAS = {
    "lists": {"list_id": _TEXT, "name": _TEXT},
    "members": {
        "list_id": _TEXT, "email_address": _TEXT, "full_name": _TEXT, "status": _TEXT,
        "timestamp_opt": _TIME, "last_changed": _TIME, "tags": pa.list_(_TEXT),
    },
    "campaigns": {
        "campaign_id": _TEXT, "list_id": _TEXT, "title": _TEXT, "subject_line": _TEXT,
        "status": _TEXT, "send_time": _TIME, "emails_sent": pa.int64(),
    },
    "sends": {"campaign_id": _TEXT, "email_address": _TEXT, "status": _TEXT},
    "activity": {
        "campaign_id": _TEXT, "email_address": _TEXT, "action": _TEXT, "activity_type": _TEXT,
        "url": _TEXT, "occurred_at": _TIME,
    },
    "unsubscribes": {
        "campaign_id": _TEXT, "email_address": _TEXT, "reason": _TEXT, "occurred_at": _TIME,
    },
}  # fmt: skip


def write_day(root: Path, day: str, **tables: Sequence[Sequence[Any]]) -> None:
    """Leave a day in the platform's inbox: for each table its rows, in the order of SCHEMAS."""
    folder = root / "mailchimp" / "inbox" / day
    folder.mkdir(parents=True)
    for name, rows in tables.items():
        schema = pa.schema(list(SCHEMAS[name].items()))
        columns = [list(column) for column in zip(*rows, strict=True)]
        arrays = [pa.array(c, t) for c, t in zip(columns, schema.types, strict=True)]
        pq.write_table(pa.table(arrays, schema=schema), folder / f"{name}.parquet")


def member(address: str, at: datetime, *tags: str, name: str = "Nguyễn Thị Lan") -> list[Any]:
    """A subscribed member's row, signed up and last changed at `at` (UTC)."""
    return [LIST, address, name, "subscribed", at, at, list(tags)]


def rows(root: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows of the platform's own state, read while it runs."""
    with closing(sqlite3.connect(root / "mailchimp" / "state.sqlite")) as state:
        return state.execute(sql, values).fetchall()


def effects(root: Path, member_id: str) -> list[tuple[str, str | None]]:
    """What the platform really did to a member: effect and tag, in order."""
    sql = "select effect, tag from effects where member_id = ? order by seq"
    return rows(root, sql, member_id)


def fill(root: Path) -> None:
    """25 members, one campaign to all of them, opens, clicks, a bounce, an unsubscribe."""
    addresses = [f"person{number:02d}@example.com" for number in range(25)]
    write_day(
        root,
        "2024-03-01",
        lists=[[LIST, "Newsletter"]],
        members=[member(address, FIRST, "vip") for address in addresses],
        campaigns=[["c1", LIST, "Spring", "New colours", "sent", FIRST, 25],
                   ["c2", LIST, "Draft", "Later", "save", None, 0]],
        sends=[["c1", a, "hard" if a == addresses[0] else "sent"] for a in addresses],
        activity=[["c1", addresses[0], "bounce", "hard", "", FIRST]]
        + [["c1", a, "open", "", "", FIRST] for a in addresses[1:11]],
    )  # fmt: skip
    write_day(
        root,
        "2024-03-02",
        activity=[["c1", a, "click", "", "https://shop.example/x", SECOND]
                  for a in addresses[1:4]],
        unsubscribes=[["c1", addresses[1], "Too many mails", SECOND]],
    )  # fmt: skip
    mailchimp.load_inbox(root)
