"""Rows behind an answer to `khach why`, as they are read and as their times are told."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

Record = dict[str, Any]


def records(connection: duckdb.DuckDBPyConnection, sql: str, values: Record) -> list[Record]:
    """Rows of a query with named parameters, as dictionaries."""
    cursor = connection.execute(sql, {name: v for name, v in values.items() if f"${name}" in sql})
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def local(moment: datetime, zone: ZoneInfo) -> str:
    """A stored moment (naive UTC) by the clock of the business."""
    return f"{moment.replace(tzinfo=UTC).astimezone(zone):%Y-%m-%d %H:%M}"
