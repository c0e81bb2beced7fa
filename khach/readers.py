"""Read-only sessions on what is published: the marts of `current`, and operations beside them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from khach.environment import Environment
from khach.errors import ConfigError, KhachError
from khach.extensions import load_extension

_READING = {"SELECT", "EXPLAIN"}


@contextmanager
def read_only_session(
    env: Environment, *, writes: Path | None = None, extensions: Sequence[str] = ()
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session that sees marts and operations tables by bare name and can change nothing.

    KhachError when nothing has been published yet. No other file can be reached from it, except
    the one that it `writes`.
    """
    marts = env.current / "marts.duckdb"
    attached = [
        f"{name}.main"
        for name, path in (("marts", marts), ("operations", env.operations))
        if path.exists()
    ]
    if not attached:
        raise KhachError("nothing has been published yet", file=env.published, fix="khach run")
    connection = duckdb.connect()
    try:
        connection.execute("set timezone = 'UTC'")
        for name, path in (("marts", marts), ("operations", env.operations)):
            if path.exists():
                file = str(path.resolve()).replace("'", "''")
                connection.execute(f"attach '{file}' as {name} (read_only)")
        connection.execute(f"set search_path = '{','.join(attached)}'")
        for name in extensions:
            load_extension(connection, name)
        if writes is not None:
            connection.execute("set allowed_paths = ['" + str(writes).replace("'", "''") + "']")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        yield connection
    finally:
        connection.close()


def run_query(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any] | None = None
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one reading statement; ConfigError for anything else."""
    statement = reading_statement(connection, sql)
    with query_errors():
        cursor = connection.execute(statement, parameters)
        return [column[0] for column in cursor.description or []], cursor.fetchall()


@contextmanager
def query_errors() -> Iterator[None]:
    """What is wrong with the asker's SQL as a ConfigError; no message quotes a stored value."""
    try:
        yield
    except (duckdb.CatalogException, duckdb.BinderException, duckdb.ParserException) as problem:
        raise ConfigError(str(problem).strip()) from None
    except duckdb.PermissionException:
        raise ConfigError("khach query reads published tables only, no files") from None
    except (duckdb.ConversionException, duckdb.OutOfRangeException):
        raise ConfigError(
            "a value of this query cannot be read as the type it is compared with or cast to",
            fix="dates as '2026-06-30'; try_cast(column as type) gives null where it does not fit",
        ) from None


def reading_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The one statement in `sql`, if it reads and nothing else; ConfigError otherwise."""
    try:
        statements = connection.extract_statements(sql)
    except duckdb.ParserException as problem:
        raise ConfigError(f"this is not SQL: {problem}") from None
    kinds = [statement.type.name for statement in statements]
    if len(kinds) != 1 or kinds[0] not in _READING:
        raise ConfigError(
            "khach query reads: one select (or with, describe, summarize, explain) at a time",
            fix="the published marts are changed by `khach run` only",
        )
    return statements[0].query.strip().rstrip(";")
