"""Which rows of a table are new: a cursor column, with room for transactions that commit late.

The rows just below the last cursor are summed up in a digest. As long as it does not change only
rows above the cursor are read; when it does (a late commit), that window is read once more.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from psycopg import sql

if TYPE_CHECKING:
    import psycopg

    from ingestion.spec import Backfill


_ALWAYS = sql.SQL("true")


@dataclass(frozen=True)
class Window:
    """The rows to read: a predicate over alias `t`, how many there are, and the next cursor."""

    predicate: sql.Composable
    rows: int
    cursor: str | None


class NoTimeError(Exception):
    """A cursor's type, which is no date and no timestamp."""


def read_window(
    connection: psycopg.Connection[Any],
    base: sql.Composable,
    column: str | None,
    overlap_minutes: int,
    seen: str | None,
) -> Window | None:
    """What is new since `seen` (the cursor of the last load that counts); None when nothing is."""
    last = json.loads(seen) if seen else {"max": None, "digest": None}
    if column is None:
        digest = _digest(connection, base, _ALWAYS)
        cursor = json.dumps({"max": None, "digest": digest})
        rows = int(digest.partition(":")[0])
        return None if digest == last["digest"] or not rows else Window(_ALWAYS, rows, cursor)
    field = sql.SQL("t.{}").format(sql.Identifier(column))
    newest, type_ = _newest(connection, base, field, last["max"])
    predicate: sql.Composable = _ALWAYS
    if last["max"] is not None:
        predicate = sql.SQL("{} > {}").format(field, _moment(last["max"], type_))
        near = _near(field, last["max"], type_, overlap_minutes)
        # A row that committed late, or changed without moving its cursor, changes the digest.
        if _digest(connection, base, near) != last["digest"]:
            predicate = sql.SQL("({} or {})").format(predicate, near)
    rows = count_rows(connection, base, predicate)
    if not rows:
        return None
    near = _ALWAYS if newest is None else _near(field, newest, type_, overlap_minutes)
    digest = _digest(connection, base, near)
    if newest is None and digest == last["digest"]:
        return None
    return Window(predicate, rows, json.dumps({"max": newest, "digest": digest}))


def days_window(
    connection: psycopg.Connection[Any],
    base: sql.Composable,
    column: str | None,
    part: Backfill,
    time_zone: str,
) -> Window | None:
    """The rows whose cursor lies in the days of a backfill; the whole table without a cursor.

    The window has no cursor of its own: the next ordinary read starts where it would have anyway.
    """
    predicate: sql.Composable = _ALWAYS
    if column is not None:
        field = sql.SQL("t.{}").format(sql.Identifier(column))
        query = sql.SQL("select pg_typeof(max({}))::text from {} as t").format(field, base)
        (type_,) = _row(connection, query)
        if not str(type_).startswith(("timestamp", "date")):
            raise NoTimeError(str(type_))
        ends = list(part.instants(time_zone))
        if type_ != "timestamp with time zone":  # local times of the source
            ends = [end.astimezone(ZoneInfo(time_zone)).replace(tzinfo=None) for end in ends]
        first, after = (_moment(end.isoformat(), str(type_)) for end in ends)
        predicate = sql.SQL("({field} >= {first} and {field} < {after})").format(
            field=field, first=first, after=after
        )
    rows = count_rows(connection, base, predicate)
    return Window(predicate, rows, None) if rows else None


def _newest(
    connection: psycopg.Connection[Any],
    base: sql.Composable,
    field: sql.Composable,
    last: str | None,
) -> tuple[str | None, str]:
    """The largest cursor ever seen, as text, and the cursor's type."""
    query = sql.SQL("select max({field})::text, pg_typeof(max({field}))::text from {base} as t")
    newest, type_ = _row(connection, query.format(field=field, base=base))
    if last is not None:
        query = sql.SQL("select greatest({}, {})::text")
        known = sql.SQL("null") if newest is None else _moment(newest, type_)
        (newest,) = _row(connection, query.format(known, _moment(last, type_)))
    return newest, type_


def _moment(text: str, type_: str) -> sql.Composable:
    # The type's name comes from the server's own catalogue.
    return sql.SQL("{}::" + type_).format(sql.Literal(text))


def _near(field: sql.Composable, last: str, type_: str, overlap_minutes: int) -> sql.Composable:
    """Rows in which a late commit may show: just below the last cursor, or without a cursor."""
    lowest = _moment(last, type_)
    if type_.startswith(("timestamp", "date")):
        lowest = sql.SQL("({} - make_interval(mins => {}))").format(lowest, overlap_minutes)
    return sql.SQL("(({field} >= {lowest} and {field} <= {last}) or {field} is null)").format(
        field=field, lowest=lowest, last=_moment(last, type_)
    )


def _digest(
    connection: psycopg.Connection[Any], base: sql.Composable, predicate: sql.Composable
) -> str:
    query = sql.SQL(
        "select count(*) || ':' || coalesce(sum(hashtextextended(t::text, 0)), 0) "
        "from {} as t where {}"
    )
    return str(_row(connection, query.format(base, predicate))[0])


def count_rows(
    connection: psycopg.Connection[Any],
    base: sql.Composable,
    predicate: sql.Composable = _ALWAYS,
) -> int:
    """Rows of a table or query for which a predicate over alias `t` holds."""
    query = sql.SQL("select count(*) from {} as t where {}").format(base, predicate)
    return int(_row(connection, query)[0])


def _row(connection: psycopg.Connection[Any], query: sql.Composed) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    return row if row is not None else (None, None)
