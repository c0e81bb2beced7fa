"""Which delivered files a backfill reads again: by the date in the name, else by their rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

import duckdb

from ingestion import lake
from ingestion.entities import event_columns
from ingestion.parquet import literal, quote

if TYPE_CHECKING:
    from ingestion.delivered import Delivered
    from ingestion.spec import FetchContext, TableSpec

_DAY = re.compile(r"(?<!\d)(20\d\d|19\d\d)([-_./]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")
_MONTH = re.compile(r"(?<!\d)(20\d\d|19\d\d)[-_/](0[1-9]|1[0-2])(?!\d)")


def days_in_name(name: str) -> tuple[date, date] | None:
    """The day or month that a file's name (or a folder of it) says; the last one counts."""
    for match in reversed(list(_DAY.finditer(name))):
        try:
            day = date(int(match[1]), int(match[3]), int(match[4]))
        except ValueError:
            continue
        return day, day
    months = list(_MONTH.finditer(name))
    if not months:
        return None
    first = date(int(months[-1][1]), int(months[-1][2]), 1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def files_of_days(
    context: FetchContext, table: TableSpec, files: Sequence[Delivered]
) -> list[Delivered]:
    """The files that belong to the part of the backfill, each to one part of the range only.

    A file without a date in its name belongs to the first day of the range of which it has rows;
    one that says nothing about time at all to the range's first part.
    """
    part = context.backfill
    if part is None:
        return list(files)
    spans = {file.name: days_in_name(file.name) for file in files}
    undated = [name for name, span in spans.items() if span is None]
    landed = _first_days(context, table, part.range_first) if undated else {}
    chosen = []
    for file in files:
        span = spans[file.name]
        if span is None:
            day = landed.get(file.name, part.range_first)
        else:
            day = max(span[0], part.range_first) if span[1] >= part.range_first else None
        if day is not None and part.first <= day <= part.last:
            chosen.append(file)
    return chosen


def _first_days(context: FetchContext, table: TableSpec, since: date) -> Mapping[str, date | None]:
    """For each landed file, the first day from `since` on of which it has rows (None: none)."""
    column = event_columns().get(table.name)
    column = column or ("updated_at" if "updated_at" in table.columns else None)
    name = context.config.name
    loads = [load.load_id for load in lake.committed_loads(context.env, name)]
    relation = lake.load_rows(context.env, name, table.name, loads)
    if relation is None or column is None:
        return {}
    zone = literal(context.config.time_zone)
    day = f"cast(timezone({zone}, timezone('UTC', {quote(column)})) as date)"
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"select _file, min({day}) filter ({day} >= ?) from {relation} group by _file "
            f"having count({quote(column)}) > 0",
            [since],
        ).fetchall()
    return dict(rows)
