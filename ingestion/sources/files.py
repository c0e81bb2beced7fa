"""Files of any shape onto our entities: CSV, NDJSON, Parquet and xlsx, local or by fsspec.

Settings: `folder` (a path or URL, `${NAME}` is an environment variable) and `tables`: entity to
`from` (a pattern below the folder), `columns`, `constants`, `filter`, `values`, `deleted_when` (an
expression that is true where a row says that its key is deleted). A file that is what it was when
it last landed is not offered again. Run alone: `khach run --select ingest`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import duckdb
from pydantic import Field, StringConstraints

from ingestion.contract import Stopped, TableStoppedError
from ingestion.delivered import LocalFile, assert_unchanged, bring_new, find_files
from ingestion.entities import entity_table
from ingestion.file_contract import hold
from ingestion.file_days import files_of_days
from ingestion.landing import Landed, UnreadableError, count_mismatch, land, write_deliveries
from ingestion.mapping import TableMapping, check_absent, check_tables, entity_query, targets
from ingestion.parquet import duckdb_session
from ingestion.readers import (
    Reading,
    format_of,
    read_parquet_files,
)
from ingestion.replay_rows import through_files
from ingestion.spec import (
    CheckedItem,
    Delivery,
    Extract,
    FetchContext,
    SourceConfig,
    SourceSpec,
    TableSpec,
)
from ingestion.text_readers import read_csv_files, read_ndjson_files
from ingestion.xlsx_reader import read_xlsx_files
from khach.errors import KhachError
from khach.progress import bytes_read

if TYPE_CHECKING:
    from khach.environment import Environment


class FileTable(TableMapping):
    """One entity of a files source."""

    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    """What separates the columns of a CSV file."""


class FilesConfig(SourceConfig):
    """A files source in sources.yml."""

    kind: Literal["files"]
    folder: Annotated[str, Field(min_length=1)]
    """A path or URL; `${NAME}` in it is an environment variable."""
    tables: Annotated[dict[str, FileTable], Field(min_length=1)]
    """Entity to where it comes from; `<entity>__<part>` where it comes from several files."""

    def check(self) -> None:
        """ConfigError for entities and columns that do not exist."""
        check_tables(self, self.tables)


def tables(config: FilesConfig) -> list[TableSpec]:
    """The entities that the source maps."""
    return [entity_table(entity) for entity in config.tables]


def fetch(context: FetchContext) -> Extract | None:
    """Everything delivered since the last committed load, one Parquet file per entity."""
    config: FilesConfig = context.config
    files: dict[str, Path] = {}
    deliveries: list[Delivery] = []
    stopped: list[Stopped] = []
    for entity, mapping in config.tables.items():
        found = find_files(config, config.folder, mapping.from_, "tables", entity, "from")
        found = files_of_days(context, entity_table(entity), found)
        new = bring_new(context, entity, found)
        if not new:
            continue
        size = sum(file.path.stat().st_size for file in new)
        many = f" from {len(new)} files" if len(new) > 1 else ""
        context.progress.step(f"{config.name}: {entity}{many}", size, unit="bytes")
        path = context.staging / f"{entity}.parquet"
        try:
            # Text is read once to be counted, once to be parsed.
            with bytes_read(context.progress, size, passes=2):
                landed, reading, columns = _land_entity(context, entity, mapping, new, path)
        except TableStoppedError as stop:
            stopped.append(stop.stopped)
            context.progress.note("stopped: a type flipped")
            continue
        files[entity] = path
        context.progress.note(f"{sum(reading.offered.values()):,} rows")
        assert_unchanged(new)
        deliveries += write_deliveries(context, entity, new, landed, reading, columns=columns)
    return Extract(files, deliveries, stopped=stopped) if deliveries or stopped else None


def replay(context: FetchContext, table: str, file: LocalFile, path: Path) -> Landed:
    """The good rows of a file of quarantined ones."""
    mapping = context.config.tables[table]
    return _land_entity(context, table, mapping, [file], path, is_held=False)[0]


def check(_env: Environment, config: FilesConfig) -> list[CheckedItem]:
    """For each entity: the files that match, and whether their columns are the mapped ones."""
    from tempfile import TemporaryDirectory

    items = []
    for entity, mapping in config.tables.items():
        place = ("tables", entity, "from")
        found = find_files(config, config.folder, mapping.from_, *place)
        item = f"{entity} from {mapping.from_}"
        if not found:
            items.append(CheckedItem(config.name, item, "no file", "no file matches the pattern"))
            continue
        newest = found[-1]
        if not newest.is_remote:
            file = LocalFile(newest.name, Path(newest.path), "")
            with TemporaryDirectory() as scratch, duckdb_session(Path(scratch)) as connection:
                reading = _reading(connection, mapping, [file], Path(scratch), scrub_all=False)
                _check_columns(config, entity, mapping, reading)
            rows = reading.offered[newest.name]
            what = f"{len(found)} files, newest {rows} rows"
            if reading.absent:
                what += f", none with {', '.join(sorted(reading.absent))}"
            items.append(CheckedItem(config.name, item, what))
        else:
            items.append(CheckedItem(config.name, item, f"{len(found)} files"))
    return items


def _land_entity(
    context: FetchContext,
    entity: str,
    mapping: FileTable,
    new: list[LocalFile],
    path: Path,
    *,
    is_held: bool = True,
) -> tuple[Landed, Reading, str | None]:
    """Read and land; if `is_held`, under the contract, whose record is returned too."""
    config: FilesConfig = context.config
    table = entity_table(entity)
    for scrub_all in (False, True):
        with duckdb_session(context.staging) as connection:
            reading = _reading(connection, mapping, new, context.staging, scrub_all=scrub_all)
            _check_columns(config, entity, mapping, reading)
            columns = None
            if is_held:
                contract = context.seen.contracts.get(entity)
                check_absent(config, entity, mapping, reading, contract.types if contract else ())
                columns = hold(context, connection, entity, reading, new)
            try:
                typed = entity_query(connection, config, entity, mapping, reading)
                return land(connection, table, reading, typed, path), reading, columns
            except UnreadableError:
                continue
            except duckdb.ConversionException:
                raise config.problem(
                    f"an expression of {entity} fails on a value",
                    *("tables", entity),
                    fix="use try_cast or try_strptime where a value may not fit",
                ) from None
    raise count_mismatch(table)


def _reading(
    connection: duckdb.DuckDBPyConnection,
    mapping: FileTable,
    files: list[LocalFile],
    staging: Path,
    *,
    scrub_all: bool,
) -> Reading:
    formats = {format_of(file.name) for file in files}
    if len(formats) > 1:
        raise KhachError(f"{mapping.from_} matches files of several formats: {sorted(formats)}")
    if "parquet" in formats:
        return read_parquet_files(connection, files)
    if "xlsx" in formats:
        return read_xlsx_files(connection, files)
    if "ndjson" in formats:
        wanted = mapping.source_columns()
        return read_ndjson_files(connection, files, staging, scrub_all=scrub_all, wanted=wanted)
    return read_csv_files(files, staging, delimiter=mapping.delimiter, scrub_all=scrub_all)


def _check_columns(config: FilesConfig, entity: str, mapping: FileTable, reading: Reading) -> None:
    """ConfigError when a delivered file that has rows lacks a column that the mapping reads."""
    wanted = {name.lower() for name in mapping.source_columns()}
    for name, columns in reading.file_columns.items():
        has_header = format_of(name) in ("csv", "xlsx")
        is_other = columns and not wanted & {column.lower() for column in columns}
        if has_header and wanted and is_other:
            # Not a word of what stands there: it may be somebody's row. With one row alone, too.
            raise config.problem(
                f"{name} has none of the columns that {entity} reads, but {len(columns)} others",
                *("tables", entity, "columns"),
                fix="is its first line a header, and the delimiter the one of the file?",
            )
        if reading.offered[name]:
            targets(config, entity, mapping, dict.fromkeys(columns, "VARCHAR"), name)


SPEC = SourceSpec(
    "files", FilesConfig, tables, fetch, check, through_files(replay), can_backfill=True
)
