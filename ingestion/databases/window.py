"""Which rows of a table are new: a cursor column, with room for transactions that commit late.

The rows just below the last cursor are summed up in a digest. As long as it does not change only
rows above the cursor are read; when it does (a late commit), that window is read once more.

A time far ahead of today (2062 for 2026) is a mistake of typing and no cursor, or nothing would be
new until then: such rows belong to what the digest sums up, and are read when one comes or goes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ingestion.databases.dialect import ALWAYS, Column, Database, is_time

if TYPE_CHECKING:
    from ingestion.spec import Backfill


_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}:[0-9]{2}|$)")
_AHEAD = timedelta(days=2)  # more than clocks and time zones differ by
_EPOCH = re.compile(r"1[0-9]{9}([0-9]{3})?")  # seconds or milliseconds, of 2001 to 2033


@dataclass(frozen=True)
class Window:
    """The rows to read: a predicate over alias `t`; and the marks from which the next starts.

    Without marks the next ordinary read starts where it would have anyway.
    """

    predicate: str
    marks: Mapping[str, str | None]


class NoTimeError(Exception):
    """A cursor's type, which is no date and no timestamp."""


def read_window(
    database: Database,
    base: str,
    columns: Sequence[Column],
    *,
    cursor: str | None,
    overlap_minutes: int,
    seen: Mapping[str, Any],
) -> Window | None:
    """What is new since `seen` (the marks of the last load that counts); None when nothing is."""
    last, last_digest = seen.get("max"), seen.get("digest")
    if last is not None and _is_ahead(last):
        last, last_digest = None, None
    column = next((column for column in columns if column.name == cursor), None)
    if column is None:
        digest = database.digest(base, columns, ALWAYS)
        is_new = digest != last_digest and not digest.startswith("0:")
        return Window(ALWAYS, {"max": None, "digest": digest}) if is_new else None
    predicate, near = ALWAYS, ALWAYS
    if last is None:
        newest = database.largest(base, columns, column)
        if newest is not None and _is_ahead(newest):
            newest = _text(datetime.now(UTC) - timedelta(days=1))
    else:
        newest, is_newer = _newest(database, base, column, last)
        near = _near(database, column, last, overlap_minutes)
        # A row that committed late, or changed without moving its cursor, changes the digest.
        is_changed = database.digest(base, columns, near) != last_digest
        if not (is_newer or is_changed):
            return None
        predicate = f"t.{database.quote(column.name)} > {database.moment(last, column)}"
        if _ISO.match(last):
            predicate = f"({predicate} and not {_ahead(database, column)})"
        predicate = f"({predicate} or {near})" if is_changed else predicate
    if newest is not None:
        near = _near(database, column, newest, overlap_minutes)
    digest = database.digest(base, columns, near)
    if newest is None and (digest == last_digest or digest.startswith("0:")):
        return None
    return Window(predicate, {"max": newest, "digest": digest})


def days_window(
    database: Database,
    base: str,
    columns: Sequence[Column],
    *,
    cursor: str | None,
    part: Backfill,
    time_zone: str,
) -> Window | None:
    """The rows whose cursor lies in the days of a backfill; the whole table without a cursor."""
    predicate = ALWAYS
    column = next((column for column in columns if column.name == cursor), None)
    if column is not None:
        if not is_time(column):
            raise NoTimeError((column.declared or column.type_).lower())
        ends = list(part.instants(time_zone))
        if not column.type_.endswith("ZONE"):  # local times of the source
            ends = [end.astimezone(ZoneInfo(time_zone)).replace(tzinfo=None) for end in ends]
        field = f"t.{database.quote(column.name)}"
        first, after = (database.moment(end.isoformat(" "), column) for end in ends)
        predicate = f"({field} >= {first} and {field} < {after})"
    return Window(predicate, {}) if database.count(base, predicate) else None


def _newest(database: Database, base: str, column: Column, last: str) -> tuple[str | None, bool]:
    """The largest cursor ever seen, as text, and whether it is larger than the last one."""
    name, moment = database.quote(column.name), database.moment(last, column)
    until = f" where not {_ahead(database, column)}" if _ISO.match(last) else ""
    known = f"select max(t.{name}) as {name} from {base} as t{until}"
    known += f" union all select {moment} as {name}"
    found = f"select max(u.{name}) as {name} from ({known}) as u"
    is_newer = f"case when t.{name} > {moment} then 1 else 0 end"
    read = column.as_text(database).read
    newest, flag = database.row(
        f"select {read} as newest, {is_newer} as is_newer from ({found}) as t"
    )
    return newest, bool(int(flag))


def _near(database: Database, column: Column, last: str, overlap_minutes: int) -> str:
    """Rows in which a late commit may show: just below the last cursor, or without a cursor.

    Those far ahead of today are among them.
    """
    field, moment = f"t.{database.quote(column.name)}", database.moment(last, column)
    if is_time(column):
        lowest = database.earlier(moment, overlap_minutes)
    else:
        lowest = database.moment(_earlier(last, overlap_minutes), column)
    near = f"({field} >= {lowest} and {field} <= {moment}) or {field} is null"
    return f"({near} or {_ahead(database, column)})" if _ISO.match(last) else f"({near})"


def _ahead(database: Database, column: Column) -> str:
    """Rows of a time that is far ahead of today."""
    limit = database.moment(_text(datetime.now(UTC) + _AHEAD), column)
    return f"(t.{database.quote(column.name)} > {limit})"


def _is_ahead(cursor: str) -> bool:
    return bool(_ISO.match(cursor)) and cursor[:10] > _text(datetime.now(UTC) + _AHEAD)[:10]


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _earlier(last: str, minutes: int) -> str:
    """A time that a column of texts or numbers holds, some minutes before; all else as it is.

    >>> _earlier("2024-01-02T10:00:00Z", 60), _earlier("1704189600", 60), _earlier("17", 60)
    ('2024-01-02 09:00:00', '1704186000', '17')
    """
    if _EPOCH.fullmatch(last):
        of_minute = 60 if len(last) == len("1704189600") else 60_000
        return str(int(last) - minutes * of_minute)
    if not _ISO.match(last):
        return last
    # A space sorts before a T: whichever of them the rows have, none above is left out.
    try:
        before = datetime.fromisoformat(last[:19]) - timedelta(minutes=minutes)
    except (ValueError, OverflowError):  # 9999-99-99 99:99:99 only looks like a time
        return last
    return _text(before)
