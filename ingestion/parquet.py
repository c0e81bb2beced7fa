"""DuckDB as the reader of deliveries and the writer of the Parquet files that land in the lake."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb

from ingestion.spec import TableSpec

# Values of a column in a row group; the writer's own limit makes it collect every key in vain.
_LARGEST_DICTIONARY = 4_000
_MEMORY = "500MB"
# Each thread that writes holds one row group; all of them together may hold so much.
_ROW_GROUPS_MB = 64
_MOST_THREADS = 8


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
    connection.execute("set enable_progress_bar = false")  # progress is khach.progress's
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def bounded_session(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same within a memory that does not grow with what it reads; rows come in any order."""
    with duckdb_session(scratch) as connection:
        connection.execute(
            f"set memory_limit = '{_MEMORY}'; set preserve_insertion_order = false; "
            f"set threads = {min(os.cpu_count() or 1, _MOST_THREADS)}"
        )
        yield connection


def quote(name: str) -> str:
    """A SQL identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | Path) -> str:
    """A SQL string literal."""
    return "'" + str(value).replace("'", "''") + "'"


def constant(value: str | int | datetime | None) -> str:
    """SQL of a value. DuckDB imports pandas, if it is there, with the first parameter it is given.

    That takes longer than a run with nothing new.
    """
    if value is None:
        return "null"
    return str(value) if isinstance(value, int) else literal(str(value))


def copy_to_parquet(
    connection: duckdb.DuckDBPyConnection,
    table: TableSpec,
    query: str,
    path: Path,
) -> int:
    """Write `query` as one Parquet file with the table's columns and types; returns the rows.

    `query` yields the table's columns by name, in any order. Row groups are small where the session
    lets rows come in any order; DuckDB bounds their bytes only there.
    """
    columns = ", ".join(
        f"cast({quote(name)} as {type_}) as {quote(name)}"
        for name, type_ in table.duckdb_columns().items()
    )
    ((is_ordered, threads),) = connection.execute(
        "select current_setting('preserve_insertion_order'), current_setting('threads')"
    ).fetchall()
    bound = "" if is_ordered else f"row_group_size_bytes '{max(_ROW_GROUPS_MB // threads, 1)}MB', "
    row = connection.execute(
        f"copy (select {columns} from ({query})) to {literal(path)} "
        f"(format parquet, compression zstd, compression_level 1, {bound}"
        f"parquet_version v2, dictionary_size_limit {_LARGEST_DICTIONARY})"
    ).fetchone()
    return int(row[0]) if row else 0
