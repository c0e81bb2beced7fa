"""What the tills' database holds: each day's files are loaded once, in one transaction per batch.

The simulation leaves `tills/inbox/<date>/<table>.csv` (new and changed rows; times in UTC). A
marker row commits with the rows of its day, so a killed load is simply done again.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sandbox.schemas import TILL_TABLES

if TYPE_CHECKING:
    import psycopg

_TYPES = {
    pa.string(): "text", pa.timestamp("s"): "timestamptz", pa.date32(): "date",
    pa.bool_(): "boolean", pa.int64(): "numeric(14, 0)",
}  # fmt: skip
_DAYS_PER_TRANSACTION = 15


def load_inbox(root: Path, url: str, up_to: str) -> int:
    """Load the days not loaded yet, up to the date `up_to`; how many there were."""
    import psycopg

    folder = root / "tills" / "inbox"
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        _create_tables(connection)
        loaded = {row[0] for row in connection.execute("select day::text from sandbox.loaded_days")}
        offered = sorted(day.name for day in folder.iterdir() if day.name[0] != ".")
        days = [day for day in offered if day <= up_to and day not in loaded]
        for start in range(0, len(days), _DAYS_PER_TRANSACTION):
            with connection.transaction():
                _load(connection, folder, days[start : start + _DAYS_PER_TRANSACTION])
        if days:
            connection.execute("analyze")
    return len(days)


def _create_tables(connection: psycopg.Connection[Any]) -> None:
    """The tables of docs/architecture.md in `public`; our marker in a schema of its own."""
    with connection.transaction():
        connection.execute("create schema if not exists sandbox")
        connection.execute("create table if not exists sandbox.loaded_days (day date primary key)")
        for name, schema in TILL_TABLES.items():
            columns = [f"{field.name} {_column_type(field)}" for field in schema]
            connection.execute(
                f"create table if not exists public.{name} "
                f"({', '.join(columns)}, primary key ({schema.names[0]}))"
            )
            moved = [n for n in ("updated_at", "occurred_at", "paid_at", "returned_at")
                     if n in schema.names][:1]  # fmt: skip
            for column in moved:
                connection.execute(
                    f"create index if not exists {name}_{column} on public.{name} ({column})"
                )
    connection.commit()


def _column_type(field: pa.Field) -> str:
    return "integer" if field.name == "quantity" else _TYPES[field.type]


def _load(connection: psycopg.Connection[Any], folder: Path, days: list[str]) -> None:
    for name, schema in TILL_TABLES.items():
        key, columns = schema.names[0], ", ".join(schema.names)
        connection.execute(
            f"create temp table arrived (like public.{name}, place serial) on commit drop"
        )
        with connection.cursor() as cursor:
            for day in days:
                data = (folder / day / f"{name}.csv").read_bytes()
                command = f"copy arrived ({columns}) from stdin (format csv, header true)"
                with cursor.copy(command) as copy:
                    copy.write(data)
        changes = ", ".join(f"{c} = excluded.{c}" for c in schema.names[1:])
        connection.execute(
            f"insert into public.{name} ({columns}) "
            f"select distinct on ({key}) {columns} from arrived order by {key}, place desc "
            f"on conflict ({key}) do update set {changes}"
        )
        connection.execute("drop table arrived")
    connection.cursor().executemany(
        "insert into sandbox.loaded_days values (%s)", [(day,) for day in days]
    )
