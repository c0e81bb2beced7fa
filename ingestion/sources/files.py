"""Files of any shape onto our entities: CSV, JSON, Parquet and xlsx, local or by fsspec.

Settings: `folder` (a path or URL, `${NAME}` is an environment variable) and `tables`: entity to
`from` (a pattern below the folder), `columns`, `constants`, `filter`, `values`, `deleted_when` (an
expression that is true where a row says that its key is deleted), and how rows lie in the file
(`ingestion.file_layout`). A file that is what it was when
it last landed is not offered again. Run alone: `khach run --select ingest`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import duckdb
from pydantic import Field, StringConstraints

from ingestion.checked import CheckedItem, checked
from ingestion.contract import TableStoppedError
from ingestion.delivered import LocalFile, assert_unchanged, bring_new, find_files
from ingestion.entities import entity_table
from ingestion.file_contract import hold
from ingestion.file_days import files_of_days
from ingestion.file_layout import FileLayout
from ingestion.file_readers import check_columns, read_files
from ingestion.landing import Landed, UnreadableError, count_mismatch, land, write_deliveries
from ingestion.mapping import TableMapping, check_absent, check_tables, entity_query
from ingestion.parquet import duckdb_session
from ingestion.plain_copies import plain_files
from ingestion.readers import Reading, format_by_name
from ingestion.refusals import NotRead, Refused, only_mistake
from ingestion.replay_rows import through_files
from ingestion.spec import (
    Delivery,
    Extract,
    FetchContext,
    SourceConfig,
    SourceSpec,
    TableSpec,
)
from khach.errors import BusyError, ConfigError, KhachError, StoppedError, told_together
from khach.progress import bytes_read

if TYPE_CHECKING:
    from khach.environment import Environment


class FileTable(FileLayout, TableMapping):
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
        """ConfigError for entities and columns that do not exist, settings that say nothing."""
        with told_together() as each:
            with each():
                check_tables(self, self.tables)
            for name, table in self.tables.items():
                for setting, used in table.unused(format_by_name(table.from_)).items():
                    with each():
                        raise self.problem(
                            f"{table.from_} has no use for {setting}", "tables", name, setting,
                            fix=f"leave it out: it is for {used}",
                        )  # fmt: skip


def tables(config: FilesConfig) -> list[TableSpec]:
    """The entities that the source maps."""
    return [entity_table(entity) for entity in config.tables]


def fetch(context: FetchContext) -> Extract | None:
    """Everything delivered since the last committed load, one Parquet file per entity.

    A table of which a file cannot be read is left out (`ingestion.refusals`). With nothing to land
    beside it, its own error is raised.
    """
    config: FilesConfig = context.config
    files: dict[str, Path] = {}
    deliveries: list[Delivery] = []
    stopped: list[NotRead] = []
    for entity, mapping in config.tables.items():
        try:
            found = _fetch_entity(context, entity, mapping)
        except TableStoppedError as stop:
            stopped.append(stop.stopped)
            context.progress.note("stopped: a type flipped")
        except (BusyError, StoppedError):
            raise
        except KhachError as mistake:
            stopped.append(Refused(entity, _placed(config, entity, mistake)))
            context.progress.note("stopped: a file cannot be read")
        else:
            files |= {entity: context.staging / f"{entity}.parquet"} if found else {}
            deliveries += found
    if not deliveries and (common := only_mistake(stopped)):
        raise common
    return Extract(files, deliveries, stopped=stopped) if deliveries or stopped else None


def _fetch_entity(context: FetchContext, entity: str, mapping: FileTable) -> list[Delivery]:
    """Land what is new of one entity in `<entity>.parquet`; nothing when nothing is."""
    config: FilesConfig = context.config
    found = find_files(config, config.folder, mapping.from_, "tables", entity, "from")
    new = bring_new(context, entity, files_of_days(context, entity_table(entity), found))
    if not new:
        return []
    size = sum(file.path.stat().st_size for file in new)
    many = f" from {len(new)} files" if len(new) > 1 else ""
    context.progress.step(f"{config.name}: {entity}{many}", size, unit="bytes")
    path = context.staging / f"{entity}.parquet"
    # Text is read once to be counted, once to be parsed.
    with (
        plain_files(new, mapping, context.staging) as plain,
        bytes_read(context.progress, size, passes=2),
    ):
        landed, reading, columns = _land_entity(context, entity, mapping, plain, path)
    context.progress.note(f"{sum(reading.offered.values()):,} rows")
    assert_unchanged(new)
    return write_deliveries(context, entity, new, landed, reading, columns=columns)


def _placed(config: FilesConfig, entity: str, mistake: KhachError) -> KhachError:
    """A mistake of the configuration that readers found, at its table."""
    if not isinstance(mistake, ConfigError) or mistake.file:
        return mistake
    return config.problem(mistake.message, "tables", entity, fix=mistake.fix)


def replay(context: FetchContext, table: str, file: LocalFile, path: Path) -> Landed:
    """The good rows of a file of quarantined ones."""
    mapping = context.config.tables[table]
    return _land_entity(context, table, mapping, [file], path, is_held=False)[0]


def check(_env: Environment, config: FilesConfig) -> list[CheckedItem]:
    """For each entity: the files that match, and whether their columns are the mapped ones."""
    return [
        checked(
            config.name, f"{entity} from {mapping.from_}", partial(_found, config, entity, mapping)
        )
        for entity, mapping in config.tables.items()
    ]


def _found(config: FilesConfig, entity: str, mapping: FileTable) -> str:
    place = ("tables", entity, "from")
    found = find_files(config, config.folder, mapping.from_, *place)
    if not found:
        raise config.problem(
            "no file matches the pattern", *place,
            fix=f"hold it against what is in {config.folder}; * stands for any part of a name",
        )  # fmt: skip
    newest = found[-1]
    if newest.store:
        return f"{len(found)} files"
    file = LocalFile(newest.name, Path(newest.path), "")
    try:
        with (
            TemporaryDirectory() as scratch,
            duckdb_session(Path(scratch)) as connection,
            plain_files([file], mapping, Path(scratch)) as plain,
        ):
            reading = read_files(connection, mapping, plain, Path(scratch), scrub_all=False)
            check_columns(config, entity, mapping, reading)
    except KhachError as mistake:
        raise _placed(config, entity, mistake) from None
    absent = f", none with {', '.join(sorted(reading.absent))}" if reading.absent else ""
    return f"{len(found)} files, newest {reading.offered[newest.name]} rows{absent}"


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
            reading = read_files(connection, mapping, new, context.staging, scrub_all=scrub_all)
            check_columns(config, entity, mapping, reading)
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


SPEC = SourceSpec(
    "files", FilesConfig, tables, fetch, check, through_files(replay), can_backfill=True
)
