"""DuckDB as the reader of deliveries and the writer of the Parquet files that land in the lake."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ingestion.spec import TableSpec


@contextmanager
def duckdb_session(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB whose clock is UTC and which spills into `scratch`; no downloads."""
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "temp_directory": str(scratch / "spill"),
        }
    )
    connection.execute("set timezone = 'UTC'")
    try:
        yield connection
    finally:
        connection.close()


def quote(name: str) -> str:
    """A SQL identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | Path) -> str:
    """A SQL string literal."""
    return "'" + str(value).replace("'", "''") + "'"


def copy_to_parquet(
    connection: duckdb.DuckDBPyConnection, table: TableSpec, query: str, path: Path
) -> int:
    """Write `query` as one Parquet file with the table's columns and types; returns the rows.

    `query` yields the table's columns by name, in any order.
    """
    columns = ", ".join(
        f"cast({quote(name)} as {type_}) as {quote(name)}"
        for name, type_ in table.duckdb_columns().items()
    )
    row = connection.execute(
        f"copy (select {columns} from ({query})) to {literal(path)} "
        "(format parquet, compression zstd)"
    ).fetchone()
    return int(row[0]) if row else 0
