"""What happened inside the platform: the simulation leaves a folder per day, loaded exactly once.

Members sign up on the platform's own forms, campaigns go out, recipients open, click and leave:
none of that passes through the API. Parquet tables of a day: `lists`, `members`, `campaigns`,
`sends`, `activity`, `unsubscribes`; each may be absent.
"""

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from sandbox.mailchimp import store
from sandbox.mailchimp.store import iso, subscriber_hash
from sandbox.platform_state import transaction

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")

_INCOMING = (
    """create temp table incoming (
    list_id text, member_id text, email_address text, full_name text, status text,
    timestamp_opt text, last_changed text, merge_fields text, is_new integer default 0,
    is_changed integer default 0, is_leaving integer default 0,
    primary key (list_id, member_id))""",
    """create temp table incoming_tags (
    list_id text, member_id text, name text, changed_at text,
    primary key (list_id, member_id, name))""",
)

_COMPARE = """
update incoming set
    is_new = m.member_id is null,
    is_changed = m.status is not i.status or m.full_name is not i.full_name,
    is_leaving = i.status = 'unsubscribed' and m.status is not 'unsubscribed'
from incoming i left join members m using (list_id, member_id)
where incoming.list_id = i.list_id and incoming.member_id = i.member_id
"""

# The member acted on the platform's own form, so a refusal given earlier is lifted with it.
_UPSERT = """
insert into members (list_id, member_id, email_address, full_name, status, merge_fields,
    source, timestamp_signup, timestamp_opt, last_changed, is_refused)
select list_id, member_id, email_address, full_name, status, merge_fields,
    'Hosted Signup Form', timestamp_opt, timestamp_opt, last_changed,
    status in ('unsubscribed', 'cleaned')
from incoming where is_changed
on conflict (list_id, member_id) do update set
    full_name = excluded.full_name, status = excluded.status,
    merge_fields = json_patch(merge_fields, excluded.merge_fields),
    timestamp_opt = coalesce(excluded.timestamp_opt, timestamp_opt),
    last_changed = max(last_changed, excluded.last_changed), is_refused = excluded.is_refused
"""

_EFFECTS = """
insert into effects (at, request_id, list_id, member_id, effect)
select ?, ?, list_id, member_id, iif(is_new, 'member_created', 'member_updated')
from incoming where is_changed
union all
select ?, ?, list_id, member_id, 'unsubscribed' from incoming where is_leaving and not is_new
"""

_NEW_TAGS = """
select i.list_id, i.member_id, t.tag_id, i.name, i.changed_at
from incoming_tags i join tags t on t.list_id = i.list_id and t.name = i.name
left join member_tags x on x.list_id = i.list_id and x.member_id = i.member_id
    and x.tag_id = t.tag_id
where x.tag_id is null
"""


def load_inbox(root: Path) -> dict[str, int]:
    """Take in every day folder under `root/mailchimp/inbox` that was not taken in yet.

    Each day is one transaction: a killed load leaves nothing of its day. Returns rows per table
    over the days loaded now; empty when there was nothing new.
    """
    store.prepare(root)
    folder = root / "mailchimp" / "inbox"
    days = sorted(entry for entry in folder.glob("*") if _DAY.fullmatch(entry.name))
    connection = store.connect(root)
    counts: dict[str, int] = {}
    try:
        for statement in _INCOMING:
            connection.execute(statement)
        for day in days:
            with transaction(connection):
                _load_day(connection, day, counts)
    finally:
        connection.close()
    return counts


def _load_day(connection: sqlite3.Connection, day: Path, counts: dict[str, int]) -> None:
    seen = connection.execute("select 1 from inbox where day = ?", (day.name,)).fetchone()
    if seen:
        return
    request_id = f"inbox/{day.name}"
    for row in _rows(day, "lists", counts):
        store.add_list(connection, row["list_id"], row["name"], f"{day.name}T00:00:00+00:00")
    _load_members(connection, _rows(day, "members", counts), request_id)
    connection.executemany(
        "insert into campaigns values (:campaign_id, :list_id, :title, :subject_line, :status,"
        " :send_time, :emails_sent, null) on conflict (campaign_id) do update set"
        " title = excluded.title, subject_line = excluded.subject_line, status = excluded.status,"
        " send_time = excluded.send_time, emails_sent = excluded.emails_sent",
        (row | {"send_time": iso(row["send_time"])} for row in _rows(day, "campaigns", counts)),
    )
    connection.executemany(
        "insert or ignore into sends (campaign_id, member_id, email_address, status)"
        " values (:campaign_id, :member_id, :email_address, :status)",
        map(_identified, _rows(day, "sends", counts)),
    )
    connection.executemany(
        "insert into activity (campaign_id, member_id, action, activity_type, url, occurred_at)"
        " values (:campaign_id, :member_id, :action, :activity_type, :url, :occurred_at)",
        map(_identified, _rows(day, "activity", counts)),
    )
    _load_unsubscribes(connection, _rows(day, "unsubscribes", counts), request_id)
    _write_reports(connection, day)
    connection.execute("insert into inbox values (?, ?)", (day.name, store.wall_now()))


def _rows(day: Path, table: str, counts: dict[str, int]) -> Iterator[dict[str, Any]]:
    file = day / f"{table}.parquet"
    if not file.exists():
        return
    with pq.ParquetFile(file) as parquet:
        counts[table] = counts.get(table, 0) + parquet.metadata.num_rows
        for batch in parquet.iter_batches(batch_size=50_000):
            yield from batch.to_pylist()


def _identified(row: dict[str, Any]) -> dict[str, Any]:
    row["member_id"] = subscriber_hash(row["email_address"])
    if "occurred_at" in row:
        row["occurred_at"] = iso(row["occurred_at"])
    return row


def _load_members(
    connection: sqlite3.Connection, rows: Iterator[dict[str, Any]], request_id: str
) -> None:
    connection.execute("delete from incoming")
    connection.execute("delete from incoming_tags")
    for row in rows:
        member = (row["list_id"], subscriber_hash(row["email_address"]))
        name = row["full_name"] or ""
        family, _, given = name.rpartition(" ")
        merge_fields = json.dumps({"FNAME": given, "LNAME": family}, ensure_ascii=False)
        changed_at = iso(row["last_changed"])
        connection.execute(
            "insert or replace into incoming (list_id, member_id, email_address, full_name,"
            " status, timestamp_opt, last_changed, merge_fields) values (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *member,
                row["email_address"],
                name,
                row["status"],
                iso(row["timestamp_opt"]),
                changed_at,
                merge_fields,
            ),
        )
        connection.executemany(
            "insert or replace into incoming_tags values (?, ?, ?, ?)",
            [(*member, tag, changed_at) for tag in row["tags"] or ()],
        )
    connection.execute(_COMPARE)
    connection.execute(_UPSERT)
    now = store.wall_now()
    connection.execute(_EFFECTS, (now, request_id, now, request_id))
    _load_tags(connection, request_id)


def _load_tags(connection: sqlite3.Connection, request_id: str) -> None:
    names = "select list_id, name, min(changed_at) as at from incoming_tags group by list_id, name"
    for row in connection.execute(names).fetchall():
        store.tag_id(connection, row["list_id"], row["name"], row["at"])
    added = connection.execute(_NEW_TAGS).fetchall()
    connection.executemany(
        "insert into member_tags values (?, ?, ?, ?)",
        [(row["list_id"], row["member_id"], row["tag_id"], row["changed_at"]) for row in added],
    )
    for row in added:
        member = (row["list_id"], row["member_id"])
        store.log_effect(connection, request_id, member, "tag_added", row["name"])


def _load_unsubscribes(
    connection: sqlite3.Connection, rows: Iterator[dict[str, Any]], request_id: str
) -> None:
    for row in map(_identified, rows):
        connection.execute(
            "insert or ignore into unsubscribes"
            " (campaign_id, member_id, email_address, reason, occurred_at)"
            " values (:campaign_id, :member_id, :email_address, :reason, :occurred_at)",
            row,
        )
        left = connection.execute(
            "update members set status = 'unsubscribed', is_refused = 1,"
            " unsubscribe_reason = :reason, last_changed = max(last_changed, :occurred_at)"
            " where member_id = :member_id and status <> 'unsubscribed' and list_id ="
            " (select list_id from campaigns where campaign_id = :campaign_id) returning list_id",
            row,
        ).fetchone()
        if left:
            member = (left["list_id"], row["member_id"])
            store.log_effect(connection, request_id, member, "unsubscribed")


def _write_reports(connection: sqlite3.Connection, day: Path) -> None:
    """Totals of the campaigns this day touched, kept so that `GET /reports` never scans."""
    touched: set[str] = set()
    for table in ("campaigns", "sends", "activity", "unsubscribes"):
        file = day / f"{table}.parquet"
        if file.exists():
            column = pq.read_table(file, columns=["campaign_id"])["campaign_id"]
            touched.update(column.unique().to_pylist())
    connection.executemany(
        "update campaigns set report = (select json_object("
        " 'opens_total', count(*) filter (where action = 'open'),"
        " 'unique_opens', count(distinct iif(action = 'open', member_id, null)),"
        " 'last_open', max(iif(action = 'open', occurred_at, null)),"
        " 'clicks_total', count(*) filter (where action = 'click'),"
        " 'unique_clicks', count(distinct iif(action = 'click', member_id || url, null)),"
        " 'unique_subscriber_clicks', count(distinct iif(action = 'click', member_id, null)),"
        " 'last_click', max(iif(action = 'click', occurred_at, null)),"
        " 'hard_bounces', (select count(*) from sends s"
        "    where s.campaign_id = campaigns.campaign_id and s.status = 'hard'),"
        " 'soft_bounces', (select count(*) from sends s"
        "    where s.campaign_id = campaigns.campaign_id and s.status = 'soft'),"
        " 'unsubscribed', (select count(*) from unsubscribes u"
        "    where u.campaign_id = campaigns.campaign_id))"
        " from activity a where a.campaign_id = campaigns.campaign_id) where campaign_id = ?",
        [(campaign,) for campaign in sorted(touched)],
    )
