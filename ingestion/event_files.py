"""What the sources of event files share: their settings, what is new, lines of JSON.

Settings: `folder` (path or URL, `${NAME}` is an environment variable) and `from` (a pattern below
it). An event that is none goes to the quarantine with its bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import ConfigDict, Field

from ingestion.delivered import assert_unchanged, bring_new, find_files
from ingestion.file_days import files_of_days
from ingestion.landing import Landed, write_deliveries
from ingestion.line_landing import Shape
from ingestion.parquet import literal
from ingestion.replay_rows import through_files
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
    from pathlib import Path

    from ingestion.delivered import LocalFile
    from ingestion.readers import Reading
    from khach.environment import Environment

# Writes the good events of some files to one Parquet file.
Lander = Callable[["FetchContext", "list[LocalFile]", "Path"], "tuple[Landed, Reading]"]


class EventFilesConfig(SourceConfig):
    """A source of delivered event files in sources.yml."""

    model_config = ConfigDict(populate_by_name=True)

    folder: Annotated[str, Field(min_length=1)]
    from_: Annotated[str, Field(alias="from", min_length=1)]


def event_source(
    kind: str, settings: type[EventFilesConfig], table: TableSpec, land: Lander
) -> SourceSpec:
    """The kind of source that lands delivered files of events in one raw table."""

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
        with bytes_read(context.progress, size):
            landed, reading = land(context, new, path)
        context.progress.note(f"{sum(reading.offered.values()):,} rows")
        assert_unchanged(new)
        deliveries = write_deliveries(context, table.name, new, landed, reading)
        return Extract({table.name: path}, deliveries)

    def check(_env: Environment, config: EventFilesConfig) -> list[CheckedItem]:
        found = find_files(config, config.folder, config.from_, "from")
        problem = None if found else "no file matches the pattern"
        item = f"{table.name} from {config.from_}"
        return [CheckedItem(config.name, item, f"{len(found)} files", problem)]

    def replay(context: FetchContext, _table: str, file: LocalFile, path: Path) -> Landed:
        return land(context, [file], path)[0]

    return SourceSpec(
        kind, settings, lambda _: [table], fetch, check, through_files(replay), can_backfill=True
    )


def json_lines(structure: Mapping[str, str]) -> Shape:
    """Lines of JSON objects: their top-level keys with the types of `json_transform`."""

    def shape(lines: str) -> str:
        return (
            "(select parsed.*, _file, _row, line as _original, _malformed from "
            "(select *, json_transform(case when _malformed is null then line else '{}' end, "
            f"{literal(json.dumps(structure))}) as parsed from "
            f"(select *, case when json_valid(line) then null when {is_blank('line')} "
            f"then 'a blank line' else 'not valid JSON' end as _malformed from {lines})))"
        )

    return shape


def is_blank(column: str) -> str:
    """SQL: whether a line is empty, or was no text."""
    return f"coalesce(trim({column}, e' \\t\\r\\n'), '') = ''"


def words(text: str) -> list[str]:
    """Names in the order of a vendor's documentation."""
    return text.split()
