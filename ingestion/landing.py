"""From a relation to one Parquet file, the refused rows, and counts that add up.

The good rows are written in one pass; only files whose counts fall short of what was offered are
read a second time, for the rows that were refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ingestion.delivered import LocalFile
from ingestion.parquet import copy_to_parquet, literal, quote
from ingestion.quarantine import BadRow, write_quarantine
from ingestion.readers import Reading
from ingestion.spec import Delivery, FetchContext, TableSpec
from khach.errors import KhachError

# For some files of a reading: SQL of the table's columns, `_problem` (null = good) and `_original`;
# with a Parquet file, only of the rows that it does not have.
TypedQuery = Callable[[Sequence[str], Path | None], str]


@dataclass(frozen=True)
class Landed:
    """Rows landed, filtered and refused per delivered file."""

    landed: Mapping[str, int]
    filtered: Mapping[str, int]
    refused: Mapping[str, list[BadRow]]


class UnreadableError(Exception):
    """DuckDB's strict reader gave up on a text file; its message may hold values, so it is not."""


def land(
    connection: duckdb.DuckDBPyConnection,
    table: TableSpec,
    reading: Reading,
    typed: TypedQuery,
    path: Path,
) -> Landed:
    """Write the good rows of a reading to `path`.

    Raises
    UnreadableError when the text needs scrubbing, KhachError when counts do not add up.
    """
    names = list(reading.offered)
    try:
        copy_to_parquet(
            connection, table, f"select * from ({typed(names, None)}) where _problem is null", path
        )
        landed, filtered = landed_counts(connection, table, path)
        refused = {name: list(rows) for name, rows in reading.refused.items()}
        short = [
            name
            for name in names
            if landed.get(name, 0) + len(refused.get(name, ())) != reading.offered[name]
        ]
        if short:
            _collect(connection, table, reading, typed(short, path), refused)
    except duckdb.InvalidInputException:
        raise UnreadableError from None
    for name in names:
        total = landed.get(name, 0) + len(refused.get(name, ()))
        if total != reading.offered[name]:
            raise UnreadableError
    return Landed(landed, filtered, refused)


def write_deliveries(
    context: FetchContext,
    table: str,
    files: list[LocalFile],
    landed: Landed,
    reading: Reading,
    *,
    columns: str | None = None,
) -> list[Delivery]:
    """One row of `_deliveries` per file; the refused rows are written to the quarantine.

    The last row carries what the contract keeps of the table.
    """
    deliveries = []
    for file in files:
        refused = landed.refused.get(file.name, [])
        write_quarantine(
            context.env,
            context.config.name,
            table,
            file.name,
            refused,
            columns=reading.original_columns(file.name),
        )
        deliveries.append(
            Delivery(
                table,
                file.name,
                rows_offered=reading.offered[file.name],
                rows_landed=landed.landed.get(file.name, 0),
                rows_quarantined=len(refused),
                filtered=landed.filtered.get(file.name, 0),
                fingerprint=file.fingerprint,
                columns=columns if file is files[-1] else None,
            )
        )
    return deliveries


def count_mismatch(table: TableSpec) -> KhachError:
    """What to say when a delivery cannot be read without losing a row, even after scrubbing."""
    return KhachError(
        f"table {table.name}: a delivered file was read with more or fewer rows than it has",
        fix="`khach sources check` names the files; nothing of this delivery was landed",
    )


def landed_counts(
    connection: duckdb.DuckDBPyConnection, table: TableSpec, path: Path
) -> tuple[dict[str, int], dict[str, int]]:
    """Rows per delivered file in a written Parquet file, and those that the filter refuses."""
    kept = "_is_kept" if "_is_kept" in table.columns else "true"
    rows = connection.execute(
        f"select _file, count(*), count(*) filter (not {kept}) "
        f"from read_parquet({literal(path)}) group by _file"
    ).fetchall()
    return {row[0]: int(row[1]) for row in rows}, {row[0]: int(row[2]) for row in rows}


def _collect(
    connection: duckdb.DuckDBPyConnection,
    table: TableSpec,
    reading: Reading,
    typed: str,
    refused: dict[str, list[BadRow]],
) -> None:
    bad: dict[str, dict[int, tuple[str, str | None, str | None]]] = {}
    key = quote(next(iter(table.columns)))
    for file, row, problem, original, about in connection.execute(
        f"select _file, _row, _problem, _original, cast({key} as varchar) from ({typed}) "
        "where _problem is not null"
    ).fetchall():
        bad.setdefault(file, {})[int(row)] = (problem, original, about)
    for file, rows in bad.items():
        fetched: Mapping[int, bytes] = {}
        if reading.originals is not None:
            fetched = reading.originals(file, set(rows))
        reasons = reading.reasons.get(file, {})
        refused.setdefault(file, []).extend(
            BadRow(
                number,
                reasons.get(number, reason),
                fetched.get(number, (text or "").encode()),
                about,
            )
            for number, (reason, text, about) in rows.items()
        )
