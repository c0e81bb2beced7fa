"""Tables and queries of a PostgreSQL database onto our entities.

Settings: `url_env` (the NAME of the variable that holds postgresql://...) and `tables`: entity to
`from` (a table or one SELECT), `columns`, `constants`, `filter`, `values`, `cursor` (a column that
grows when a row is new or changed) and `overlap_minutes` (how late a transaction may commit).
Counts and rows come from one REPEATABLE READ snapshot. Without a cursor the whole table is read
again when anything in it changed. Deleted rows are not noticed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from ingestion.contract import Stopped, judge, mapping_digest
from ingestion.delivered import LocalFile
from ingestion.entities import entity_table
from ingestion.landing import Landed, UnreadableError, count_mismatch, land
from ingestion.mapping import TableMapping, check_tables, entity_query, targets
from ingestion.parquet import duckdb_session
from ingestion.quarantine import write_quarantine
from ingestion.readers import read_parquet_files
from ingestion.sources.sql_reading import (
    base_query,
    copy_query,
    describe_columns,
    read_copy,
    sample_value,
)
from ingestion.sources.sql_window import (
    NoTimeError,
    Window,
    count_rows,
    days_window,
    read_window,
)
from ingestion.spec import (
    CheckedItem,
    Delivery,
    EnvironmentName,
    Extract,
    FetchContext,
    SourceConfig,
    SourceSpec,
    TableSpec,
    secret,
)
from khach.errors import BusyError, ConfigError

if TYPE_CHECKING:
    import psycopg

    from khach.environment import Environment

# What a wrong configuration looks like to the server: passwords, names, rights, SQL.
_CONFIGURATION_STATES = ("28", "3D", "3F", "42")


class SqlTable(TableMapping):
    """One entity of a sql source."""

    cursor: str | None = None
    overlap_minutes: Annotated[int, Field(ge=0, le=60 * 24 * 31)] = 60


class SqlConfig(SourceConfig):
    """A sql source in sources.yml."""

    kind: Literal["sql"]
    url_env: EnvironmentName
    tables: Annotated[dict[str, SqlTable], Field(min_length=1)]

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
    with _snapshot(config) as connection:
        for entity, mapping in config.tables.items():
            with _table_errors(config, entity, mapping):
                columns = describe_columns(connection, mapping.from_)
                targets(config, entity, mapping, columns.duckdb_types(), mapping.from_)
                cursor = _cursor(config, entity, mapping, columns.names())
                window = _window(context, connection, entity, mapping, cursor)
            if window is None:
                continue
            held, flip = judge(
                entity,
                context.seen.contracts.get(entity),
                mapping_digest(mapping),
                columns.duckdb_types(),
                mapping.source_columns(),
            )
            if flip:
                values = sample_value(connection, base_query(mapping.from_), flip.column)
                stopped.append(replace(flip, values=values))
                continue
            context.progress.step(f"{config.name}: {entity}", window.rows, unit="rows")
            path = context.staging / f"{entity}.parquet"
            delivery = _land(context, connection, entity, mapping, window=window, path=path)
            deliveries.append(replace(delivery, columns=held))
            files[entity] = path
    return Extract(files, deliveries, stopped=stopped) if deliveries or stopped else None


def replay(context: FetchContext, table: str, file: LocalFile, path: Path) -> Landed:
    """The good rows of a file of quarantined ones; the database is not asked."""
    config: SqlConfig = context.config
    with duckdb_session(context.staging) as connection:
        reading = read_parquet_files(connection, [file])
        query = entity_query(connection, config, table, config.tables[table], reading)
        return land(connection, entity_table(table), reading, query, path)


def check(_env: Environment, config: SqlConfig) -> list[CheckedItem]:
    """For each entity: the rows there are, after the mapping was held against the columns."""
    items = []
    with _snapshot(config) as connection:
        for entity, mapping in config.tables.items():
            with _table_errors(config, entity, mapping):
                columns = describe_columns(connection, mapping.from_)
                targets(config, entity, mapping, columns.duckdb_types(), mapping.from_)
                _cursor(config, entity, mapping, columns.names())
                rows = count_rows(connection, base_query(mapping.from_))
            items.append(CheckedItem(config.name, f"{entity} from {mapping.from_}", f"{rows} rows"))
    return items


def _window(
    context: FetchContext,
    connection: psycopg.Connection[Any],
    entity: str,
    mapping: SqlTable,
    cursor: str | None,
) -> Window | None:
    base, part = base_query(mapping.from_), context.backfill
    if part is None:
        seen = context.seen.cursors.get(entity)
        return read_window(connection, base, cursor, mapping.overlap_minutes, seen)
    if cursor is None and part.first > part.range_first:
        return None  # a table without a cursor is read whole, with the first part
    try:
        return days_window(connection, base, cursor, part, context.config.time_zone)
    except NoTimeError as problem:
        raise context.config.problem(
            f"the cursor {cursor} is {problem}, no time: {entity} cannot be read again by date",
            *("tables", entity, "cursor"),
        ) from None


def _land(
    context: FetchContext,
    connection: psycopg.Connection[Any],
    entity: str,
    mapping: SqlTable,
    *,
    window: Window,
    path: Path,
) -> Delivery:
    config: SqlConfig = context.config
    copy = context.staging / f"{entity}.csv"
    wanted = mapping.source_columns()
    with _table_errors(config, entity, mapping):
        columns = describe_columns(connection, mapping.from_).only(wanted)
        file = entity if " " in mapping.from_ else mapping.from_
        rows = copy_query(base_query(mapping.from_), columns, window.predicate)
        read_copy(connection, rows, copy, context.progress)
    for is_parallel in (True, False):
        with duckdb_session(context.staging) as duck:
            reading = columns.reading(copy, file, window.rows, is_parallel=is_parallel)
            query = entity_query(duck, config, entity, mapping, reading)
            try:
                landed = land(duck, entity_table(entity), reading, query, path)
                break
            except UnreadableError:
                continue
    else:
        raise count_mismatch(entity_table(entity))
    copy.unlink()
    refused = landed.refused.get(file, [])
    types = reading.original_columns(file)
    write_quarantine(context.env, config.name, entity, file, refused, columns=types)
    return Delivery(
        entity,
        file,
        rows_offered=window.rows,
        rows_landed=landed.landed.get(file, 0),
        rows_quarantined=len(refused),
        filtered=landed.filtered.get(file, 0),
        cursor=window.cursor,
    )


def _cursor(config: SqlConfig, entity: str, mapping: SqlTable, names: list[str]) -> str | None:
    if mapping.cursor is None or mapping.cursor in names:
        return mapping.cursor
    raise config.problem(
        f"{mapping.from_} has no column {mapping.cursor!r}",
        *("tables", entity, "cursor"),
        fix=f"its columns are: {', '.join(names)}",
    )


@contextmanager
def _snapshot(config: SqlConfig) -> Iterator[psycopg.Connection[Any]]:
    """One read-only REPEATABLE READ transaction whose clock is UTC."""
    import psycopg

    url = secret(config.url_env, source=config.name)
    if not url.startswith(("postgresql://", "postgres://")):
        raise config.problem(
            f"{config.url_env} is no postgresql:// address; other databases come with a later "
            "release",
            "url_env",
        )
    options = "-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=3"
    try:
        connection = psycopg.connect(url, connect_timeout=10, options=options)
    except psycopg.Error as problem:
        raise _connection_error(config, problem) from None
    try:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield connection
    except psycopg.OperationalError as problem:
        raise _connection_error(config, problem) from None
    finally:
        connection.close()


def _connection_error(config: SqlConfig, problem: psycopg.Error) -> BusyError | ConfigError:
    """The server's own words may hold names and addresses: only their meaning is passed on."""
    words = str(problem).lower()
    refused = ("password", "authentication", "no pg_hba", 'role "', 'database "')
    is_configured = (problem.sqlstate or "").startswith(_CONFIGURATION_STATES)
    if is_configured or any(word in words for word in refused) or "missing" in words:
        return config.problem(
            f"source {config.name}: the database refuses the name, password or database in "
            f"{config.url_env}",
            "url_env",
            fix=f"correct the address in {config.url_env}",
        )
    return BusyError(
        f"source {config.name}: the database of {config.url_env} is not reachable",
        fix="start it, or try again later",
    )


@contextmanager
def _table_errors(config: SqlConfig, entity: str, mapping: SqlTable) -> Iterator[None]:
    import psycopg

    try:
        yield
    except psycopg.Error as problem:
        if not (problem.sqlstate or "").startswith(_CONFIGURATION_STATES):
            raise
        reason = type(problem).__name__
        raise config.problem(
            f"source {config.name}: {entity} cannot be read from {mapping.from_!r} ({reason})",
            *("tables", entity, "from"),
            fix="give a table, or one SELECT, that the role may read",
        ) from None


SPEC = SourceSpec("sql", SqlConfig, tables, fetch, check, can_backfill=True, replay=replay)
