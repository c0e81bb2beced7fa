"""The state of the simulated platforms: one SQLite file with its journal and its log of effects.

`requests` is the journal of everything that arrived. `effects` says what really happened, each
once: a message that went out, a member that was added; `at` is the wall clock, `happened_at` the
retailer's. `fates` are people who cannot be reached,
`faults` what goes wrong next. Both logs are for tests and for a run's recount; like the real
platforms, this one knows the numbers it sends to.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox import platform_state

_SCHEMA = """
create table if not exists requests (
    seq integer primary key, at text not null, request_id text not null, vendor text not null,
    method text not null, path text not null, status integer, fault text);
create table if not exists effects (
    seq integer primary key, effect_id text not null unique, at text not null,
    request_id text not null, vendor text not null, kind text not null, recipient text not null,
    reference text not null, content text not null, asked integer not null default 0,
    happened_at text);
create index if not exists effects_by_reference on effects (vendor, reference);
create table if not exists replies (
    vendor text, reference text, status integer, body text, primary key (vendor, reference));
create table if not exists fates (
    vendor text, recipient text, fate text, primary key (vendor, recipient));
create table if not exists inbound (
    vendor text, sid text, happened_at text not null, sender text not null, body text not null,
    primary key (vendor, sid));
create table if not exists faults (
    seq integer primary key, vendor text not null, kind text not null, method text not null,
    skip integer not null, count integer not null, detail text not null);
"""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong with one request; what the kinds mean: `sandbox.channels.app`."""

    kind: str
    detail: dict[str, Any] = field(default_factory=dict)


def database(root: Path) -> Path:
    """Where the platforms' state lies under the sandbox's folder."""
    return root / "channels" / "state.sqlite"


def connect(root: Path) -> sqlite3.Connection:
    """A connection of its own for the caller, as `platform_state` opens it."""
    return platform_state.connect(database(root))


def prepare(root: Path) -> None:
    """Create folder and tables where they are missing."""
    platform_state.prepare(database(root), _SCHEMA)
    with closing(connect(root)) as connection:
        columns = {row["name"] for row in connection.execute("pragma table_info(effects)")}
        if "happened_at" not in columns:  # a state of an earlier release
            connection.execute("alter table effects add column happened_at text")


def log_effect(
    connection: sqlite3.Connection,
    request_id: str,
    vendor: str,
    kind: str,
    *,
    recipient: str,
    reference: str,
    content: Any = None,
    happened_at: datetime | None = None,
) -> str:
    """Record that something really happened; its new id, 32 hexadecimal digits."""
    effect_id = uuid.uuid4().hex
    connection.execute(
        "insert into effects (effect_id, at, request_id, vendor, kind, recipient, reference,"
        " content, happened_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (effect_id, datetime.now(UTC).isoformat(), request_id, vendor, kind, recipient, reference,
         json.dumps(content, ensure_ascii=False), happened_at.isoformat() if happened_at else None),
    )  # fmt: skip
    return effect_id


def effects(root: Path, vendor: str) -> list[dict[str, Any]]:
    """What really happened at a platform, in order; `content` as it was given."""
    with closing(connect(root)) as connection:
        found = connection.execute("select * from effects where vendor = ? order by seq", (vendor,))
        return [{**row, "content": json.loads(row["content"])} for row in map(dict, found)]


def requests(root: Path, vendor: str) -> list[dict[str, Any]]:
    """The journal of a platform, in order."""
    with closing(connect(root)) as connection:
        found = connection.execute(
            "select * from requests where vendor = ? order by seq", (vendor,)
        )
        return [dict(row) for row in found]


def set_fate(root: Path, vendor: str, recipient: str, fate: str) -> None:
    """Decide what becomes of messages to somebody; the fates are the vendor module's."""
    with closing(connect(root)) as connection:
        connection.execute(
            "insert or replace into fates values (?, ?, ?)", (vendor, recipient, fate)
        )


def inject(
    root: Path,
    vendor: str,
    kind: str,
    *,
    skip: int = 0,
    count: int = 1,
    method: str = "POST",
    **detail: Any,
) -> None:
    """Have `count` requests of a platform go wrong, after `skip` that do not."""
    with closing(connect(root)) as connection:
        connection.execute(
            "insert into faults (vendor, kind, method, skip, count, detail)"
            " values (?, ?, ?, ?, ?, ?)",
            (vendor, kind, method, skip, count, json.dumps(detail)),
        )


def clear_faults(root: Path) -> None:
    """Nothing goes wrong any more."""
    with closing(connect(root)) as connection:
        connection.execute("delete from faults")


def take_fault(connection: sqlite3.Connection, vendor: str, method: str) -> Fault | None:
    """What goes wrong with the request at hand; each fault is used up by the requests it meets."""
    with platform_state.transaction(connection):
        row = connection.execute(
            "select * from faults where vendor = ? and method = ? order by seq limit 1",
            (vendor, method),
        ).fetchone()
        if row is None:
            return None
        if row["skip"] > 0:
            connection.execute("update faults set skip = skip - 1 where seq = ?", (row["seq"],))
            return None
        if row["count"] > 1:
            connection.execute("update faults set count = count - 1 where seq = ?", (row["seq"],))
        else:
            connection.execute("delete from faults where seq = ?", (row["seq"],))
    return Fault(row["kind"], json.loads(row["detail"]))
