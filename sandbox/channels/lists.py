"""Who is in the lists that platforms keep, and what was asked of them and is not done yet.

A person of a list is named by the first identifier it came with, and found again by any. Jobs are
requests that a platform works on after it has answered.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from sandbox.channels import store
from sandbox.channels.vendor import Exchange

_SCHEMA = """
create table if not exists list_members (
    vendor text, list_id text, person text, identifier text,
    primary key (vendor, list_id, person, identifier)) without rowid;
create index if not exists list_members_by_identifier
    on list_members (vendor, list_id, identifier);
create table if not exists documents (
    vendor text, kind text, key text, body text, primary key (vendor, kind, key)) without rowid;
"""


def prepare(connection: Connection) -> None:
    """Create the tables where they are missing."""
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)


def add(exchange: Exchange, list_id: str, people: Iterable[Sequence[str]]) -> None:
    """Put people, each with all identifiers, into a list; who is there stays there once."""
    rows = [
        (exchange.vendor, list_id, person[0], identifier)
        for person in people
        for identifier in person
    ]
    exchange.connection.executemany("insert or ignore into list_members values (?, ?, ?, ?)", rows)


def remove(exchange: Exchange, list_id: str, people: Iterable[Sequence[str]]) -> None:
    """Take people out of a list, whichever of their identifiers is given."""
    rows = [
        (exchange.vendor, list_id, exchange.vendor, list_id, identifier)
        for person in people
        for identifier in person
    ]
    exchange.connection.executemany(
        "delete from list_members where vendor = ? and list_id = ? and person in (select person "
        "from list_members where vendor = ? and list_id = ? and identifier = ?)",
        rows,
    )


def clear(exchange: Exchange, list_id: str) -> None:
    """Nobody is in the list any more."""
    exchange.connection.execute(
        "delete from list_members where vendor = ? and list_id = ?", (exchange.vendor, list_id)
    )


def people(connection: Connection, vendor: str, list_id: str) -> dict[str, set[str]]:
    """Everyone in a list, by the first identifier, with all of them."""
    prepare(connection)
    found: dict[str, set[str]] = {}
    for row in connection.execute(
        "select person, identifier from list_members where vendor = ? and list_id = ?",
        (vendor, list_id),
    ):
        found.setdefault(row["person"], set()).add(row["identifier"])
    return found


def members(root: Path, vendor: str, list_id: str) -> dict[str, set[str]]:
    """`people`, for tests and recounts."""
    with closing(store.connect(root)) as connection:
        return people(connection, vendor, list_id)


def matched(exchange: Exchange, list_id: str) -> int:
    """How many people in a list the platform knows: two in three of a life-like retailer's."""
    everyone = people(exchange.connection, exchange.vendor, list_id)
    return sum(exchange.fate(one, {"unmatched": 340}) != "unmatched" for one in everyone)


def put(connection: Connection, vendor: str, kind: str, key: str, body: Any) -> None:
    """Keep a document, in the place of the one it replaces."""
    connection.execute(
        "insert or replace into documents values (?, ?, ?, ?)",
        (vendor, kind, key, json.dumps(body)),
    )


def get(connection: Connection, vendor: str, kind: str, key: str) -> Any:
    """A document, or None."""
    row = connection.execute(
        "select body from documents where vendor = ? and kind = ? and key = ?", (vendor, kind, key)
    ).fetchone()
    return json.loads(row["body"]) if row else None


def documents(connection: Connection, vendor: str, kind: str) -> dict[str, Any]:
    """All documents of a kind, by key."""
    rows = connection.execute(
        "select key, body from documents where vendor = ? and kind = ? order by key", (vendor, kind)
    )
    return {row["key"]: json.loads(row["body"]) for row in rows}


def recent(exchange: Exchange, seconds: float) -> int:
    """How many requests the platform had in the last seconds."""
    since = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
    row = exchange.connection.execute(
        "select count(*) as found from requests where vendor = ? and at > ?",
        (exchange.vendor, since),
    ).fetchone()
    return int(row["found"])


def asked_enough(exchange: Exchange, kind: str, key: str, job: dict[str, Any]) -> bool:
    """Whether a job is done by now: it is after as many questions as its `patience` says."""
    put(exchange.connection, exchange.vendor, kind, key, {**job, "asked": job["asked"] + 1})
    return bool(job["asked"] >= job["patience"])
