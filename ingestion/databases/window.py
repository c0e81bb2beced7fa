"""Which rows of a table are new: a cursor column, with room for transactions that commit late.

The rows just below the last cursor are summed up in a digest. As long as it does not change only
rows above the cursor are read; when it does (a late commit), that window is read once more.

A cursor is never later than now: a row of tomorrow, or of 2062 by a slip of the keys, would hide
what is written until then. Rows ahead of now belong to what the digest sums up as well, and are
read when one comes or goes.
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
_NEVER = "(1 = 0)"
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
    time_zone: str,
    seen: Mapping[str, Any],
) -> Window | None:
    """What is new since `seen` (the marks of the last load that counts); None when nothing is."""
    last, last_digest = seen.get("max"), seen.get("digest")
    column = next((column for column in columns if column.name == cursor), None)
    if column is None:
        digest = database.digest(base, columns, ALWAYS)
        is_new = digest != last_digest and not digest.startswith("0:")
        return Window(ALWAYS, {"max": None, "digest": digest}) if is_new else None
    predicate, near = ALWAYS, ALWAYS
    newest = last or database.largest(base, columns, column)
    now = _now(column, newest, time_zone)
    ahead = _ahead(database, column, now)
    if last is not None and _is_ahead(last, now):
        last, last_digest = None, None  # our clock or the time zone was another: once more
    if last is None:
        if newest is not None and _is_ahead(newest, now):
            newest = _newest(database, base, column, ahead)
    else:
        newest, is_newer = _newer(database, base, column, last, ahead)
        near = _near(database, column, last, overlap_minutes, ahead)
        # A row that committed late, or changed without moving its cursor, changes the digest.
        is_changed = database.digest(base, columns, near) != last_digest
        if not (is_newer or is_changed):
            return None
        predicate = f"t.{database.quote(column.name)} > {database.moment(last, column)}"
        predicate = f"({predicate} and not {ahead})"
        predicate = f"({predicate} or {near})" if is_changed else predicate
    if newest is not None:
        near = _near(database, column, newest, overlap_minutes, ahead)
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


def _newest(database: Database, base: str, column: Column, ahead: str) -> str | None:
    """The largest cursor that is not ahead of now, as text."""
    name, read = database.quote(column.name), column.as_text(database).read
    known = f"select max(t.{name}) as {name} from {base} as t where not {ahead}"
    value = database.row(f"select {read} as newest from ({known}) as t")[0]
    return None if value is None else str(value)


def _newer(
    database: Database, base: str, column: Column, last: str, ahead: str
) -> tuple[str | None, bool]:
    """The largest cursor ever seen, as text, and whether it is larger than the last one."""
    name, moment = database.quote(column.name), database.moment(last, column)
    known = f"select max(t.{name}) as {name} from {base} as t where not {ahead}"
    known += f" union all select {moment} as {name}"
    found = f"select max(u.{name}) as {name} from ({known}) as u"
    is_newer = f"case when t.{name} > {moment} then 1 else 0 end"
    read = column.as_text(database).read
    newest, flag = database.row(
        f"select {read} as newest, {is_newer} as is_newer from ({found}) as t"
    )
    return newest, bool(int(flag))


def _near(database: Database, column: Column, last: str, overlap_minutes: int, ahead: str) -> str:
    """Rows in which a late commit may show: just below the last cursor, or without a cursor.

    Those ahead of now are among them.
    """
    field, moment = f"t.{database.quote(column.name)}", database.moment(last, column)
    if is_time(column):
        lowest = database.earlier(moment, overlap_minutes)
    else:
        lowest = database.moment(_earlier(last, overlap_minutes), column)
    return f"(({field} >= {lowest} and {field} <= {moment}) or {field} is null or {ahead})"


def _now(column: Column, like: str | None, time_zone: str) -> str | None:
    """Now, in the words of a cursor like another; None where cursors are no times."""
    if like is None or not _ISO.match(like):
        return None
    is_zoned = column.type_.endswith("ZONE")
    is_utc = is_zoned or like.endswith(("Z", "+00:00"))
    now = datetime.now(UTC if is_utc else ZoneInfo(time_zone))
    return f"{now:%Y-%m-%d}{like[10:11] or ' '}{now:%H:%M:%S}{'+00' if is_zoned else ''}"


def _ahead(database: Database, column: Column, now: str | None) -> str:
    """Rows of a time that is later than now."""
    if now is None:
        return _NEVER
    return f"(t.{database.quote(column.name)} > {database.moment(now, column)})"


def _is_ahead(cursor: str, now: str | None) -> bool:
    # A day alone has no time of day, and is not later than now on that day.
    return now is not None and cursor[:19] > now[:19]


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
