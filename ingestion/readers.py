"""Delivered files as DuckDB relations: one shape for CSV, NDJSON, Parquet and xlsx.

A relation has the delivered columns and `_file`, `_row` (1-based), `_malformed` (why the row is no
row, null = good) and `_original` (its text, where the file itself has no lines to go back to).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import duckdb

from ingestion import textfiles
from ingestion.delivered import LocalFile
from ingestion.parquet import literal, quote
from ingestion.quarantine import BadRow, Columns
from khach.errors import KhachError
from khach.extensions import load_extension

SUFFIXES = {
    ".csv": "csv",
    ".csv.gz": "csv",
    ".tsv": "csv",
    ".tsv.gz": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".ndjson": "ndjson",
    ".ndjson.gz": "ndjson",
    ".jsonl": "ndjson",
    ".jsonl.gz": "ndjson",
    ".json": "ndjson",
    ".json.gz": "ndjson",
    ".zip": "csv",
    ".xlsx": "xlsx",
}
_LONG = ("DECIMAL", "HUGEINT", "UHUGEINT")
# What a relation adds; a delivered column of such a name cannot be read.
OWN_COLUMNS = ("_file", "_row", "_malformed", "_original")
# DuckDB's reader of one text column per line: read_json with ignore_errors loses rows beside bad
# ones.
LINE_OPTIONS = (
    "delim='\x01', quote='', escape='', header=false, auto_detect=false, "
    "filename='_khach_file', "
    "max_line_size=10000000, columns={'line': 'VARCHAR'}"
)


@dataclass
class Reading:
    """Some delivered files of one format, ready to be queried.

    `columns` maps names to DuckDB types, `file_columns` gives each file's own names. `offered`
    counts rows per file independently of DuckDB's readers; `refused` are rows that were taken out
    before it read. `relation(names, landed)` is SQL over those files; with `landed`, a Parquet file
    with `_file` and `_row`, only over the rows that it does not have.
    """

    columns: Mapping[str, str]
    offered: Mapping[str, int]
    relation: Callable[[Sequence[str], Path | None], str]
    file_columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    refused: Mapping[str, list[BadRow]] = field(default_factory=dict)
    originals: Callable[[str, set[int]], Mapping[int, bytes]] | None = None
    # Lines that were blanked because DuckDB cannot read their bytes, and why.
    reasons: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    # What the original of a row is (`ingestion.quarantine.Columns`).
    original: Literal["csv", "json", "line"] = "json"
    # Columns that no row of a delivery of JSON lines has: keys may be left out there.
    absent: frozenset[str] = frozenset()

    def original_columns(self, file: str) -> Columns:
        """What is needed to read the original of a file's row again."""
        if self.original == "csv":
            return list(self.file_columns[file])
        return dict(self.columns) if self.original == "json" else None


@dataclass(frozen=True)
class TextPart:
    """A text file as DuckDB will read it: the delivery, or its cleaned copy."""

    file: LocalFile
    path: Path
    header: tuple[str, ...]
    rows: int  # that DuckDB will see
    is_numbered: bool = False  # the cleaned copy of a CSV has the row's number as first field


def format_of(name: str) -> str:
    """csv, ndjson, parquet or xlsx, by the file's name; KhachError when it is none of them."""
    if kind := format_by_name(name):
        return kind
    raise KhachError(
        f"{name}: the format is not known by its name", fix=f"known: {', '.join(SUFFIXES)}"
    )


def format_by_name(name: str) -> str | None:
    """The format of a file, or of all that a pattern fits; None when the name does not tell."""
    lowered = name.lower()
    return next((kind for suffix, kind in SUFFIXES.items() if lowered.endswith(suffix)), None)


def not_landed(relation: str, landed: Path | None) -> str:
    """The rows of a relation that a Parquet file does not have (all when there is no file)."""
    if landed is None:
        return relation
    return (
        f"(select offered.* from {relation} as offered anti join "
        f"read_parquet({literal(landed)}) as landed using (_file, _row))"
    )


def numbered_lines(parts: Sequence[TextPart], options: str, columns: str) -> str:
    """SQL of text parts read in one scan, with `_file` and `_row`."""
    parts = [part for part in parts if part.rows]
    if not parts:
        return f"(select {columns}, '' as _file, 0 as _row from (select '' as line) where false)"
    offset, values = 0, []
    for part in parts:
        values.append(f"({literal(part.path)}, {literal(part.file.name)}, {offset})")
        offset += part.rows
    paths = ", ".join(literal(part.path) for part in parts)
    return (
        f"(select {columns}, _khach_name as _file, _khach_number - _khach_skipped as _row from "
        f"(select *, row_number() over () as _khach_number from read_csv([{paths}], {options})) "
        f"as lines join (values {', '.join(values)}) as names(_khach_path, _khach_name, "
        "_khach_skipped) on _khach_file = _khach_path)"
    )


def scrub_lines(file: LocalFile, target: Path) -> dict[int, str]:
    """Copy a file of lines with unreadable lines left blank; their numbers, and why."""
    reasons = {}
    with target.open("wb") as out:
        for line in textfiles.lines(file.path):
            if line.reason:
                reasons[line.number] = line.reason
            out.write((b"" if line.reason else line.original) + b"\n")
    return reasons


def line_parts(
    files: Iterable[LocalFile], staging: Path, *, scrub_all: bool
) -> tuple[list[TextPart], dict[str, int], dict[str, dict[int, str]]]:
    """Files of lines: the parts to read, lines offered, and reasons that only bytes can tell."""
    parts, offered = [], {}
    reasons: dict[str, dict[int, str]] = {}
    for number, file in enumerate(files):
        found = textfiles.survey(file.path, file.name)
        path = file.path
        if scrub_all or not found.is_clean:
            path = staging / f"scrubbed-{number}.ndjson"
            reasons[file.name] = scrub_lines(file, path)
        offered[file.name] = found.lines
        parts.append(TextPart(file, path, ("line",), found.lines))
    return parts, offered, reasons


def original_lines(files: Iterable[LocalFile]) -> Callable[[str, set[int]], Mapping[int, bytes]]:
    """A function that fetches the bytes of some lines of a file by number."""
    paths = {file.name: file.path for file in files}

    def fetch(name: str, rows: set[int]) -> Mapping[int, bytes]:
        with textfiles.open_bytes(paths[name]) as content:
            found = ((n, line) for n, line in enumerate(content, start=1) if n in rows)
            return {number: line.rstrip(b"\r\n") for number, line in found}

    return fetch


def read_parquet_files(connection: duckdb.DuckDBPyConnection, files: list[LocalFile]) -> Reading:
    """Parquet: typed columns; a row has no bytes of its own, its original is its JSON."""
    names = {file.name: file for file in files}
    types: dict[str, str] = {}  # lower case: DuckDB unites names whatever their case
    file_columns, offered = {}, {}
    for file in files:
        try:
            rows = connection.execute(
                f"describe select * from read_parquet({literal(file.path)})"
            ).fetchall()
            count = connection.execute(
                f"select num_rows from parquet_file_metadata({literal(file.path)})"
            ).fetchone()
        except duckdb.Error:
            raise KhachError(f"{file.name} is not a readable Parquet file") from None
        file_columns[file.name] = [str(row[0]) for row in rows]
        types |= {str(row[0]).lower(): str(row[1]) for row in rows}
        offered[file.name] = int(count[0]) if count else 0

    def relation(wanted: Sequence[str], landed: Path | None) -> str:
        paths = ", ".join(literal(names[name].path) for name in wanted)
        pairs = ", ".join(f"({literal(names[n].path)}, {literal(n)})" for n in wanted)
        rows = (
            "(select r.* exclude (_khach_file, file_row_number), _khach_name as _file, "
            "r.file_row_number + 1 as _row, cast(null as varchar) as _malformed, "
            f"cast(to_json({_exact(types)}) as varchar) as _original from read_parquet([{paths}], "
            "union_by_name=true, filename='_khach_file', file_row_number=true) as r "
            f"join (values {pairs}) as names(_khach_path, _khach_name) "
            "on _khach_file = _khach_path)"
        )
        return not_landed(rows, landed)

    described = connection.execute(f"describe from {relation(list(names), None)}").fetchall()
    columns = {str(row[0]): str(row[1]) for row in described if str(row[0]) not in OWN_COLUMNS}
    return Reading(columns, offered, relation, file_columns)


def columns_without_values(
    connection: duckdb.DuckDBPyConnection, files: Sequence[LocalFile]
) -> set[str]:
    """Columns that are null throughout: some writers then give them any type."""
    paths = ", ".join(literal(file.path) for file in files)
    rows = connection.execute(
        f"select path_in_schema from parquet_metadata([{paths}]) group by all "
        "having bool_and(coalesce(stats_null_count = num_values, false))"
    ).fetchall()
    return {str(row[0]) for row in rows}


def _exact(types: Mapping[str, str]) -> str:
    """SQL: the row `r` as a struct whose JSON loses nothing; JSON numbers are doubles."""
    fields = (
        f"{quote(name)} := " + (f"cast(r.{quote(name)} as varchar)" if type_.startswith(_LONG) else
                                f"r.{quote(name)}")
        for name, type_ in types.items()
    )  # fmt: skip
    return f"struct_pack({', '.join(fields)})"


def load_excel(connection: duckdb.DuckDBPyConnection) -> None:
    """Load DuckDB's excel extension from its Python package; nothing is downloaded."""
    load_extension(connection, "excel")
