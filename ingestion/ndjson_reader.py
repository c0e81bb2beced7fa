"""NDJSON deliveries: every value is text until the entity's types are put on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import duckdb

from ingestion.delivered import LocalFile
from ingestion.parquet import literal, quote
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

_MALFORMED_JSON = (
    "case when line is null or trim(line) = '' then 'a blank line' "
    "when not json_valid(line) then 'not valid JSON' "
    "when json_type(line) != 'OBJECT' then 'not a JSON object' end"
)


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
