"""Tables and queries of a SQL database onto our entities (dialects: `ingestion.databases`).

Settings: `url_env` (the NAME of the variable that holds the URL, whose scheme names the dialect)
and `tables`: entity to `from` (a table or one SELECT in the database's own SQL), `columns`,
`constants`, `filter`, `values`, `cursor` (a column that grows when a row is new or changed),
`overlap_minutes` (how late a transaction may commit) and, for deletions, `deleted_when` (a soft
delete) or `deletions: {compare_every_days: N}`. Without a cursor the whole table is read again when
anything in it changed.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ingestion.checked import CheckedItem, checked
from ingestion.contract import Stopped, judge, mapping_digest
from ingestion.databases.deletions import Deletions, add_deleted, compared_at
from ingestion.databases.opening import open_database
from ingestion.databases.table import Table
from ingestion.delivered import LocalFile
from ingestion.entities import entity_table
from ingestion.landing import Landed, land
from ingestion.mapping import TableMapping, check_tables, entity_query
from ingestion.parquet import duckdb_session
from ingestion.readers import read_parquet_files
from ingestion.replay_rows import through_files
from ingestion.spec import (
    Delivery,
    EnvironmentName,
    Extract,
    FetchContext,
    SourceConfig,
    SourceSpec,
    TableSpec,
)

if TYPE_CHECKING:
    from khach.environment import Environment


class SqlTable(TableMapping):
    """One entity of a sql source."""

    cursor: str | None = None
    """A column that grows when a row is new or changed; without it the whole table is read."""
    overlap_minutes: Annotated[int, Field(ge=0, le=60 * 24 * 31)] = 60
    """How many minutes late a transaction may commit and still be read."""
    deletions: Deletions | None = None
    """How deletions are noticed where the table does not tell them."""


class SqlConfig(SourceConfig):
    """A sql source in sources.yml."""

    kind: Literal["sql"]
    url_env: EnvironmentName
    """The variable that holds the database's URL, whose scheme names the dialect."""
    tables: Annotated[dict[str, SqlTable], Field(min_length=1)]
    """Entity to where it comes from; `<entity>__<part>` where it comes from several tables."""

    def check(self) -> None:
        """ConfigError for entities and columns that do not exist."""
        check_tables(self, self.tables)


def tables(config: SqlConfig) -> list[TableSpec]:
    """The entities that the source maps."""
    return [entity_table(entity) for entity in config.tables]


def fetch(context: FetchContext) -> Extract | None:
    """Rows that are new or changed since the cursors of the committed loads."""
    config: SqlConfig = context.config
    files: dict[str, Path] = {}
    deliveries: list[Delivery] = []
    stopped: list[Stopped] = []
    with open_database(config, config.url_env, context.staging) as database:
        for entity, mapping in config.tables.items():
            table = Table(database, config, entity, mapping)
            found = _read(context, table, context.staging / f"{entity}.parquet")
            if isinstance(found, Stopped):
                stopped.append(found)
            elif found is not None:
                deliveries.append(found)
                path = context.staging / f"{entity}.parquet"
                files |= {entity: path} if path.exists() else {}
    return Extract(files, deliveries, stopped=stopped) if deliveries or stopped else None


def _read(context: FetchContext, table: Table, path: Path) -> Delivery | Stopped | None:
    """What is new of a table, in `path`; None when nothing is."""
    mapping, marks = table.mapping, table.marks(context)
    window = table.window(context)
    compared = marks.get("compared")
    if context.backfill is None:
        compared = compared_at(marks, mapping.deletions, datetime.now(UTC))
    is_due = compared != marks.get("compared")
    if window is None and not is_due:
        return None
    types, read = table.types(), mapping.source_columns()
    contract = context.seen.contracts.get(table.entity)
    held, flip = judge(table.entity, contract, mapping_digest(mapping), types, read)
    if flip:
        return table.with_sample(flip)
    delivery = Delivery(table.entity, table.file, 0, 0)
    if window is not None:
        delivery = table.land(context, window, path)
    if is_due and marks:
        delivery = add_deleted(context, table, mapping.deletions, delivery, path)
    marks = {**marks, **(window.marks if window else {}), "compared": compared}
    cursor = None if context.backfill else json.dumps(marks)
    return replace(delivery, columns=held, cursor=cursor)


def replay(context: FetchContext, table: str, file: LocalFile, path: Path) -> Landed:
    """The good rows of a file of quarantined ones; the database is not asked."""
    config: SqlConfig = context.config
    with duckdb_session(context.staging) as connection:
        found = read_parquet_files(connection, [file])
        query = entity_query(connection, config, table, config.tables[table], found)
        return land(connection, entity_table(table), found, query, path)


def check(_env: Environment, config: SqlConfig) -> list[CheckedItem]:
    """For each entity: the rows there are, after the mapping was held against the columns."""
    with (
        TemporaryDirectory() as scratch,
        open_database(config, config.url_env, Path(scratch)) as database,
    ):

        def rows(entity: str, mapping: SqlTable) -> str:
            return f"{Table(database, config, entity, mapping).count()} rows"

        return [
            checked(config.name, f"{entity} from {mapping.from_}", partial(rows, entity, mapping))
            for entity, mapping in config.tables.items()
        ]


SPEC = SourceSpec("sql", SqlConfig, tables, fetch, check, through_files(replay), can_backfill=True)
