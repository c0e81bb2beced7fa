"""Web events in Segment's shape: NDJSON, one event per line, gzipped or not.

Settings: `folder` (path or URL, `${NAME}` is an environment variable) and `from` (a pattern below
it). Lands the raw table `events`; a line that is no event goes to the quarantine with its bytes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal

import duckdb
from pydantic import ConfigDict, Field

from ingestion.delivered import LocalFile, assert_unchanged, bring_new, find_files
from ingestion.file_days import files_of_days
from ingestion.landing import (
    Landed,
    TypedQuery,
    UnreadableError,
    count_mismatch,
    land,
    write_deliveries,
)
from ingestion.parquet import duckdb_session, literal, quote
from ingestion.projection import Target, typed_query
from ingestion.readers import (
    LINE_OPTIONS,
    Reading,
    line_parts,
    not_landed,
    numbered_lines,
    original_lines,
)
from ingestion.spec import (
    CheckedItem,
    Extract,
    FetchContext,
    SourceConfig,
    SourceSpec,
    TableSpec,
)
from khach.progress import bytes_read

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from khach.environment import Environment

EVENTS = TableSpec(
    "events",
    {
        "message_id": "v",
        "type": "v",
        "event": "v",
        "anonymous_id": "v",
        "user_id": "v",
        "previous_id": "v",
        "occurred_at": "t",
        "sent_at": "t",
        "received_at": "t",
        "properties": "j",
        "traits": "j",
        "context": "j",
        "_file": "v",
        "_row": "i",
    },
)
# Segment's field, our column, and how json_transform reads it.
_FIELDS = {
    "message_id": ("messageId", "VARCHAR"),
    "type": ("type", "VARCHAR"),
    "event": ("event", "VARCHAR"),
    "anonymous_id": ("anonymousId", "VARCHAR"),
    "user_id": ("userId", "VARCHAR"),
    "previous_id": ("previousId", "VARCHAR"),
    "occurred_at": ("timestamp", "VARCHAR"),
    "sent_at": ("sentAt", "VARCHAR"),
    "received_at": ("receivedAt", "VARCHAR"),
    "properties": ("properties", "JSON"),
    "traits": ("traits", "JSON"),
    "context": ("context", "JSON"),
}


class SegmentConfig(SourceConfig):
    """A segment source in sources.yml."""

    model_config = ConfigDict(populate_by_name=True)

    kind: Literal["segment"]
    folder: Annotated[str, Field(min_length=1)]
    from_: Annotated[str, Field(alias="from", min_length=1)]


def tables(_config: SegmentConfig) -> list[TableSpec]:
    """The one raw table."""
    return [EVENTS]


def fetch(context: FetchContext) -> Extract | None:
    """The events of every file that no committed load has."""
    config: SegmentConfig = context.config
    found = find_files(config, config.folder, config.from_, "from")
    found = files_of_days(context, EVENTS, found)
    new = bring_new(context, EVENTS.name, found)
    if not new:
        return None
    size = sum(file.path.stat().st_size for file in new)
    many = f" from {len(new)} files" if len(new) > 1 else ""
    context.progress.step(f"{config.name}: events{many}", size, unit="bytes")
    path = context.staging / "events.parquet"
    with bytes_read(context.progress, size, passes=2):
        landed, reading = _land_events(new, context.staging, path)
    context.progress.note(f"{sum(reading.offered.values()):,} rows")
    assert_unchanged(new)
    deliveries = write_deliveries(context, EVENTS.name, new, landed, reading)
    return Extract({EVENTS.name: path}, deliveries)


def replay(context: FetchContext, _table: str, file: LocalFile, path: Path) -> Landed:
    """The events of a file of quarantined lines."""
    return _land_events([file], context.staging, path)[0]


def check(_env: Environment, config: SegmentConfig) -> list[CheckedItem]:
    """How many files match."""
    found = find_files(config, config.folder, config.from_, "from")
    problem = None if found else "no file matches the pattern"
    return [CheckedItem(config.name, f"events from {config.from_}", f"{len(found)} files", problem)]


def _land_events(new: list[LocalFile], staging: Path, path: Path) -> tuple[Landed, Reading]:
    for scrub_all in (False, True):
        reading = _reading(new, staging, scrub_all=scrub_all)
        with duckdb_session(staging) as connection:
            try:
                return land(connection, EVENTS, reading, _typed(connection, reading), path), reading
            except UnreadableError:
                continue
    raise count_mismatch(EVENTS)


def _reading(new: list[LocalFile], staging: Path, *, scrub_all: bool) -> Reading:
    parts, offered, reasons = line_parts(new, staging, scrub_all=scrub_all)
    by_name = {part.file.name: part for part in parts}
    structure = json.dumps(dict(_FIELDS.values()))

    def relation(names: Sequence[str], landed: Path | None) -> str:
        numbered = numbered_lines([by_name[name] for name in names], LINE_OPTIONS, "line")
        lines = not_landed(numbered, landed)
        return (
            "(select parsed.*, _file, _row, cast(null as varchar) as _original, case "
            "when line is null or trim(line) = '' then 'a blank line' "
            "when not is_json then 'not valid JSON' end as _malformed from "
            "(select *, json_transform(case when is_json then line else '{}' end, "
            f"{literal(structure)}) as parsed from "
            f"(select *, coalesce(json_valid(line), false) as is_json from {lines})))"
        )

    originals = original_lines(new)
    return Reading({}, offered, relation, originals=originals, reasons=reasons, original="line")


def _typed(connection: duckdb.DuckDBPyConnection, reading: Reading) -> TypedQuery:
    targets = [
        Target(column, EVENTS.columns[column], _field(field, type_))
        for column, (field, type_) in _FIELDS.items()
    ]

    def query(names: Sequence[str], landed: Path | None) -> str:
        return typed_query(
            connection,
            relation=reading.relation(names, landed),
            targets=targets,
            required=("message_id", "occurred_at"),
            is_kept="true",
            carried=("_file", "_row", "_malformed", "_original"),
            time_zone="UTC",
        )

    return query


def _field(field: str, type_: str) -> str:
    if type_ == "JSON":
        return f"nullif(cast({quote(field)} as varchar), 'null')"
    return quote(field)


SPEC = SourceSpec("segment", SegmentConfig, tables, fetch, check, can_backfill=True, replay=replay)
