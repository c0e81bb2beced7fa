"""From lines to one Parquet file in one pass: good rows are written, refused ones collected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from duckdb.func import SPECIAL

from ingestion import textfiles
from ingestion.landing import Landed, count_mismatch, landed_counts
from ingestion.lines import LineFeed
from ingestion.parquet import bounded_session, copy_to_parquet
from ingestion.projection import Target, typed_query
from ingestion.quarantine import BadRow
from ingestion.readers import Reading

if TYPE_CHECKING:
    from ingestion.contract import JsonColumn
    from ingestion.delivered import LocalFile
    from ingestion.spec import FetchContext, TableSpec

# SQL of some lines (a relation with `line`, `_file`, `_row`) to what a vendor's targets read from,
# with `_file`, `_row`, `_malformed` (null = good) and `_original` (the line itself).
Shape = Callable[[str], str]


def land_lines(
    context: FetchContext,
    table: TableSpec,
    files: list[LocalFile],
    *,
    shape: Shape,
    targets: Sequence[Target],
    path: Path,
) -> tuple[Landed, Reading, Mapping[str, JsonColumn]]:
    """Write the good rows of delivered lines to `path`; what landed, what was read, its fields.

    The table's first column and `occurred_at` must be there. KhachError when a file is cut off or
    counts do not add up.
    """
    feed = LineFeed(files)
    refused: dict[tuple[str, int], BadRow] = {}
    with bounded_session(context.staging) as connection:
        _collect_refused(connection, refused)
        typed = typed_query(
            connection,
            relation=shape(feed.register(connection)),
            targets=targets,
            required=(next(iter(table.columns)), "occurred_at"),
            is_kept="true",
            carried=("_file", "_row", "_malformed", "_original"),
            time_zone="UTC",
        )
        # A CASE, because only that promises to call the function for no other row.
        good = (
            f"select * from ({typed}) where case when _problem is null then true "
            "else khach_refuse(_file, _row, _problem, _original) end"
        )
        # Pushed below the projection the test would compute every time once more.
        connection.execute("set disabled_optimizers = 'filter_pushdown'")
        try:
            copy_to_parquet(connection, table, good, path)
        except duckdb.Error:
            if feed.problem is not None:
                raise feed.problem from None
            raise
        landed, filtered = landed_counts(connection, table, path)
    by_file: dict[str, list[BadRow]] = {file.name: [] for file in files}
    for (name, number), row in refused.items():
        by_file[name].append(feed.unreadable.get((name, number), row))
    for name, offered in feed.offered.items():
        if landed.get(name, 0) + len(by_file[name]) != offered:
            raise count_mismatch(table)
    reading = Reading({}, feed.offered, _read_once, original="line")
    return Landed(landed, filtered, by_file), reading, feed.sample.columns()


def _collect_refused(
    connection: duckdb.DuckDBPyConnection, refused: dict[tuple[str, int], BadRow]
) -> None:
    """A SQL function that takes a refused row down and says false."""

    def refuse(name: str, number: int, problem: str, line: str | None) -> bool:
        original = (line or "").encode().rstrip(b"\r\n")
        reason = textfiles.unreadable(original) or problem
        refused[name, number] = BadRow(number, reason, original)
        return False

    connection.create_function(
        "khach_refuse",
        refuse,
        ["VARCHAR", "BIGINT", "VARCHAR", "VARCHAR"],
        "BOOLEAN",
        null_handling=SPECIAL,
        side_effects=True,
    )


def _read_once(_names: Sequence[str], _landed: Path | None) -> str:
    raise AssertionError("lines are read once")
