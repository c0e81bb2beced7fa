"""CSV and NDJSON deliveries: every value is text until the entity's types are put on it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from ingestion import textfiles
from ingestion.delivered import LocalFile
from ingestion.parquet import literal, quote
from ingestion.quarantine import BadRow
from ingestion.readers import (
    LINE_OPTIONS,
    OWN_COLUMNS,
    Reading,
    TextPart,
    line_parts,
    not_landed,
    numbered_lines,
    original_lines,
)
from khach.errors import KhachError

_MALFORMED_JSON = (
    "case when line is null or trim(line) = '' then 'a blank line' "
    "when not json_valid(line) then 'not valid JSON' "
    "when json_type(line) != 'OBJECT' then 'not a JSON object' end"
)


def read_csv_files(
    files: list[LocalFile], staging: Path, *, delimiter: str, scrub_all: bool
) -> Reading:
    """CSV: empty is null; a line with too many or too few fields is refused."""
    parts: dict[str, TextPart] = {}
    offered: dict[str, int] = {}
    refused: dict[str, list[BadRow]] = {}
    for number, file in enumerate(files):
        found = textfiles.survey(file.path, file.name)
        header = _header(file, delimiter)
        rows = max(found.lines - 1, 0)
        if found.has_quotes and found.is_clean:
            rows = textfiles.count_records(file.path, delimiter)
        parts[file.name] = TextPart(file, file.path, header, rows)
        offered[file.name] = rows
        if scrub_all or not found.is_clean:
            target = staging / f"scrubbed-{number}.csv"
            parts[file.name], bad = _scrub_csv(file, target, header, delimiter)
            refused[file.name] = bad
            offered[file.name] = parts[file.name].rows + len(bad)
    delivered = (name for part in parts.values() for name in part.header)
    columns = {name: "VARCHAR" for name in delivered if name.lower() not in OWN_COLUMNS}

    def relation(names: Sequence[str], landed: Path | None) -> str:
        wanted = [parts[name] for name in names if parts[name].rows]
        groups: dict[tuple[tuple[str, ...], bool], list[TextPart]] = {}
        for part in wanted:
            groups.setdefault((part.header, part.is_numbered), []).append(part)
        selects = [
            _csv_group(group, header, columns, delimiter, is_numbered=is_numbered)
            for (header, is_numbered), group in groups.items()
        ]
        rows = f"({' union all '.join(selects)})" if selects else _nothing(columns)
        return not_landed(rows, landed)

    def originals(name: str, rows: set[int]) -> Mapping[int, bytes]:
        part = parts[name]
        records = textfiles.csv_records(part.file.path, delimiter, len(part.header))
        return {record.number: record.original for record in records if record.number in rows}

    headers = {name: part.header for name, part in parts.items()}
    return Reading(columns, offered, relation, headers, refused, originals, original="csv")


def read_ndjson_files(
    connection: duckdb.DuckDBPyConnection,
    files: list[LocalFile],
    staging: Path,
    *,
    scrub_all: bool,
    wanted: Sequence[str] = (),
) -> Reading:
    """NDJSON: top-level keys as text columns (nested values as JSON text); one line, one row.

    A `wanted` key that no line has is a column of nulls, and named in `absent`.
    """
    parts, offered, reasons = line_parts(files, staging, scrub_all=scrub_all)
    by_name = {part.file.name: part for part in parts}
    spellings = _spellings(_json_keys(connection, parts), wanted)
    lowered = {key.lower() for key in spellings}
    absent = [name for name in wanted if name.lower() not in lowered]
    keys = [*spellings, *absent]
    structure = literal(json.dumps(dict.fromkeys(keys, "VARCHAR")))
    columns = dict.fromkeys(keys, "VARCHAR")

    def relation(names: Sequence[str], landed: Path | None) -> str:
        numbered = numbered_lines([by_name[name] for name in names], LINE_OPTIONS, "line")
        lines = not_landed(numbered, landed)
        parsed = f"json_transform(case when {_MALFORMED_JSON} is null then line else '{{}}' end, "
        fields = ", ".join(_field(key, spellings.get(key, [])) for key in keys)
        fields = fields or "null as nothing"
        return (
            f"(select {fields}, _file, _row, _malformed, cast(null as varchar) as _original from "
            f"(select line, _file, _row, {_MALFORMED_JSON} as _malformed, "
            f"{parsed}{structure if keys else literal('{}')}) as parsed from {lines}))"
        )

    return Reading(
        columns,
        offered,
        relation,
        dict.fromkeys(offered, tuple(keys)),
        originals=original_lines(files),
        reasons=reasons,
        original="line",
        absent=frozenset(absent),
    )


def _header(file: LocalFile, delimiter: str) -> tuple[str, ...]:
    header = tuple(name.strip() for name in textfiles.csv_header(file.path, delimiter))
    lowered = [name.lower() for name in header]
    for number, name in enumerate(lowered, 1):
        twin = lowered.index(name) + 1
        if name and twin == number:
            continue
        what = f"has the name of column {twin}" if name else "has no name"
        raise KhachError(
            f"{file.name}, line 1: column {number} of {len(header)} {what}",
            fix="deliver it with a header line in which each column has a name of its own",
        )
    return header


def _csv_group(
    group: list[TextPart],
    header: tuple[str, ...],
    columns: Mapping[str, str],
    delimiter: str,
    *,
    is_numbered: bool,
) -> str:
    read = ("_record", *header) if is_numbered else header
    types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in read)
    options = (
        f"delim={literal(delimiter)}, quote='\"', escape='\"', auto_detect=false, "
        "filename='_khach_file', "
        f"header={'false' if is_numbered else 'true'}, max_line_size=10000000, columns={{{types}}}"
        # So a cleaned copy ends its records; DuckDB would guess from what the first one quotes.
        + (r", new_line='\n'" if is_numbered else "")
    )
    fields = ", ".join(
        (quote(name) if name in header else f"cast(null as varchar) as {quote(name)}")
        for name in columns
    )
    lines = numbered_lines(group, options, fields + (", _record" if is_numbered else ""))
    row = "cast(_record as bigint)" if is_numbered else "_row"
    names = ", ".join(quote(name) for name in columns)
    return (
        f"select {names}, _file, {row} as _row, cast(null as varchar) as _malformed, "
        f"cast(null as varchar) as _original from {lines}"
    )


def _scrub_csv(
    file: LocalFile, target: Path, header: tuple[str, ...], delimiter: str
) -> tuple[TextPart, list[BadRow]]:
    """Copy the good records, each with its number in front; the others are refused."""
    bad, good = [], 0
    with target.open("wb") as out:
        for record in textfiles.csv_records(file.path, delimiter, len(header)):
            if record.reason:
                bad.append(BadRow(record.number, record.reason, record.original))
                continue
            good += 1
            text = record.original.rstrip(b"\r\n")
            out.write(f"{record.number}{delimiter}".encode() + text + b"\n")
    return TextPart(file, target, header, good, is_numbered=True), bad


def _json_keys(connection: duckdb.DuckDBPyConnection, parts: list[TextPart]) -> list[str]:
    if not any(part.rows for part in parts):
        return []
    lines = numbered_lines(parts, LINE_OPTIONS, "line")
    rows = connection.execute(
        f"select distinct unnest(json_keys(line)) as key from {lines} "
        f"where {_MALFORMED_JSON} is null order by key"
    ).fetchall()
    return [str(row[0]) for row in rows if str(row[0]) not in OWN_COLUMNS]


def _spellings(keys: Sequence[str], wanted: Sequence[str]) -> dict[str, list[str]]:
    """Keys that differ only in capitals are one column to SQL; first the spelling asked for."""
    groups: dict[str, list[str]] = {}
    for key in sorted(keys, key=lambda key: (key not in wanted, key)):
        groups.setdefault(key.lower(), []).append(key)
    return {group[0]: group for group in groups.values()}


def _field(key: str, spellings: Sequence[str]) -> str:
    if len(spellings) < 2:
        return f"parsed.{quote(key)}"
    pointers = (f"/{name.replace('~', '~0').replace('/', '~1')}" for name in spellings)
    values = ", ".join(f"json_extract_string(line, {literal(pointer)})" for pointer in pointers)
    return f"case when _malformed is null then coalesce({values}) end as {quote(key)}"


def _nothing(columns: Mapping[str, str]) -> str:
    fields = "".join(f"cast(null as varchar) as {quote(name)}, " for name in columns)
    return (
        f"(select {fields}'' as _file, 0::bigint as _row, cast(null as varchar) as _malformed, "
        "cast(null as varchar) as _original where false)"
    )
