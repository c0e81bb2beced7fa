"""What the sources of event files share: their settings, what is new, lines of JSON.

Settings: `folder` (path or URL, `${NAME}` is an environment variable) and `from` (a pattern below
it). An event that is none goes to the quarantine with its bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import ConfigDict, Field

from ingestion.checked import CheckedItem
from ingestion.delivered import assert_unchanged, bring_new, find_files
from ingestion.file_days import files_of_days
from ingestion.landing import Landed, write_deliveries
from ingestion.line_landing import Shape
from ingestion.parquet import duckdb_session, literal, quote
from ingestion.projection import Target
from ingestion.replay_rows import through_files
from ingestion.spec import (
    Extract,
    FetchContext,
    SourceSpec,
    TableSpec,
)
from ingestion.unread_fields import Unread, unread_fields
from ingestion.vendor_contract import VendorConfig, extra_fields, hold
from khach.progress import bytes_read

if TYPE_CHECKING:
    from pathlib import Path

    from ingestion.contract import JsonColumn
    from ingestion.delivered import LocalFile
    from ingestion.readers import Reading
    from khach.environment import Environment

# Writes the good events of some files to one Parquet file; what landed, was read, has which type.
Lander = Callable[
    ["FetchContext", "list[LocalFile]", "Path", Unread],
    "tuple[Landed, Reading, Mapping[str, JsonColumn]]",
]


EXTRA = Target("_extra", "j", "_extra")


class EventFilesConfig(VendorConfig):
    """A source of delivered event files in sources.yml."""

    model_config = ConfigDict(populate_by_name=True)

    folder: Annotated[str, Field(min_length=1)]
    """A path or URL; `${NAME}` in it is an environment variable."""
    from_: Annotated[str, Field(alias="from", min_length=1)]
    """A pattern below the folder, such as `events-*.ndjson.gz`."""


def event_source(
    kind: str, settings: type[EventFilesConfig], table: TableSpec, land: Lander, read: Unread
) -> SourceSpec:
    """The kind of source that lands delivered files of events in one raw table.

    `read` names the fields that it reads.
    """

    def fetch(context: FetchContext) -> Extract | None:
        config: EventFilesConfig = context.config
        found = find_files(config, config.folder, config.from_, "from")
        new = bring_new(context, table.name, files_of_days(context, table, found))
        if not new:
            return None
        size = sum(file.path.stat().st_size for file in new)
        many = f" from {len(new)} files" if len(new) > 1 else ""
        context.progress.step(f"{config.name}: {table.name}{many}", size, unit="bytes")
        path = context.staging / f"{table.name}.parquet"
        unread = unread_fields(context, table, new, read)
        while True:
            with bytes_read(context.progress, size):
                landed, reading, sampled = land(context, new, path, unread)
            more = unread.more(sampled)
            if reading.original != "line" or unread.is_exact or more == unread:
                break
            unread = more
        fields: Iterable[str] = unread.fields
        if unread.is_exact:
            with duckdb_session(context.staging) as connection:
                fields = extra_fields(connection, path)
        columns, stopped = hold(context, table, sampled, read=read.read, found=fields)
        if stopped:
            context.progress.note("stopped: a type flipped")
            return Extract({}, [], stopped=[stopped])
        context.progress.note(f"{sum(reading.offered.values()):,} rows")
        assert_unchanged(new)
        deliveries = write_deliveries(context, table.name, new, landed, reading, columns=columns)
        return Extract({table.name: path}, deliveries)

    def check(_env: Environment, config: EventFilesConfig) -> list[CheckedItem]:
        found = find_files(config, config.folder, config.from_, "from")
        problem = None if found else "no file matches the pattern"
        item = f"{table.name} from {config.from_}"
        return [CheckedItem(config.name, item, f"{len(found)} files", problem)]

    def replay(context: FetchContext, _table: str, file: LocalFile, path: Path) -> Landed:
        return land(context, [file], path, replace(read, is_exact=not read.prefixes))[0]

    return SourceSpec(
        kind, settings, lambda _: [table], fetch, check, through_files(replay), can_backfill=True
    )


def json_lines(structure: Mapping[str, str], unread: Unread) -> Shape:
    """Lines of JSON objects: their top-level keys with the types of `json_transform`."""
    fields = ", ".join(f"parsed.{quote(name)}" for name in structure)
    parsed = _parsed(json.dumps({**structure, **unread.structure}))
    line = "case when _malformed is null then line else '{}' end"

    def shape(lines: str) -> str:
        return (
            f"(select {fields}, {unread.sql('parsed', line)} as _extra, _file, _row, "
            "line as _original, _malformed from "
            "(select *, case when parsed is not null or json_valid(line) then null "
            f"when {is_blank('line')} then 'a blank line' else 'not valid JSON' end as _malformed "
            f"from (select *, {parsed} as parsed from {lines})))"
        )

    return shape


def _parsed(structure: str) -> str:
    """SQL: the struct of a line, null where it is not JSON; nearly every line is parsed once.

    `try` repeats a whole vector row by row when one of its lines fails, so lines that do not end as
    an object does, such as those cut off, are checked before.
    """
    parse = f"json_transform(line, {literal(structure)})"
    ends_well = "suffix(line, e'}\\n') or suffix(line, e'}\\r\\n')"
    return f"case when {ends_well} then try({parse}) when json_valid(line) then {parse} end"


def is_blank(column: str) -> str:
    """SQL: whether a line is empty, or was no text."""
    return f"coalesce(trim({column}, e' \\t\\r\\n'), '') = ''"


def words(text: str) -> list[str]:
    """Names in the order of a vendor's documentation."""
    return text.split()
