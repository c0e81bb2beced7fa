"""SQL Server, by Microsoft's driver in Arrow batches, in one transaction at level SNAPSHOT.

Every value comes as text in a form that has all of its digits. The driver is not part of the lock.
Only the SQL is tested; no test has met a real server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote

import duckdb

from ingestion.databases.dialect import (
    Column,
    Database,
    Opening,
    QueryError,
    RefusedError,
    Scan,
    UnreachableError,
    is_time,
    number_or_text,
)
from ingestion.parquet import literal
from khach.errors import ConfigError

# The server's type to the one that a mapping sees, and its SQL as text over {}.
_TEXT = "convert(nvarchar(max), {})"
_TYPES = {
    "bit": ("BOOLEAN", "convert(nvarchar(1), {})"),
    "tinyint": ("BIGINT", "convert(nvarchar(20), {})"),
    "smallint": ("BIGINT", "convert(nvarchar(20), {})"),
    "int": ("BIGINT", "convert(nvarchar(20), {})"),
    "bigint": ("BIGINT", "convert(nvarchar(20), {})"),
    "money": ("DECIMAL(19,4)", "convert(nvarchar(30), {}, 2)"),
    "smallmoney": ("DECIMAL(10,4)", "convert(nvarchar(30), {}, 2)"),
    "float": ("DOUBLE", "convert(nvarchar(40), {}, 3)"),
    "real": ("DOUBLE", "convert(nvarchar(40), {}, 3)"),
    "date": ("DATE", "convert(nvarchar(10), {}, 23)"),
    "datetime": ("TIMESTAMP", "convert(nvarchar(30), {}, 121)"),
    "smalldatetime": ("TIMESTAMP", "convert(nvarchar(30), {}, 121)"),
    "datetime2": ("TIMESTAMP", "convert(nvarchar(30), {}, 121)"),
    "datetimeoffset": (
        "TIMESTAMP WITH TIME ZONE",
        "convert(nvarchar(30), convert(datetime2, switchoffset({}, '+00:00')), 121) + N'+00'",
    ),
}
_BINARY = ("binary", "varbinary", "image", "timestamp", "rowversion", "geometry", "geography")


class SqlServer(Database):
    """A SQL Server database."""

    WORDS = {  # noqa: RUF012 - a constant of the class
        RefusedError: (
            "login failed", "cannot open database", "snapshot isolation", "28000", "im002",
        ),
        UnreachableError: (
            "08001", "08s01", "hyt00", "timeout", "network-related", "communication link",
            "tcp provider",
        ),
        QueryError: (
            "42s02", "42s22", "42000", "invalid object name", "invalid column name",
            "permission was denied", "incorrect syntax",
        ),
    }  # fmt: skip
    TABLES = (
        "select case when table_schema = schema_name() then N'' else table_schema + N'.' end "
        "+ table_name as name from information_schema.tables"
    )

    def __init__(self, duck: duckdb.DuckDBPyConnection, scratch: Path, connection: Any) -> None:
        super().__init__(duck, scratch)
        self.connection = connection

    def describe(self, from_: str) -> list[Column]:
        """What the server says of the first result set, without running it."""
        statement = f"select * from {self.base(from_)} as t".replace("'", "''")
        rows = self.run(
            "from "
            + self.query(
                "select name, system_type_name from "
                f"sys.dm_exec_describe_first_result_set(N'{statement}', null, 0) "
                "where is_hidden = 0 order by column_ordinal"
            )
        )
        if not rows or rows[0][0] is None:
            raise QueryError
        return [column(self.quote(str(name)), str(name), str(type_)) for name, type_ in rows]

    def query(self, sql: str) -> str:
        """Rows as Arrow batches: they can be read once."""
        self.duck.register("source_rows", self.send(sql).arrow_reader(batch_size=20_000))
        return "source_rows"

    def send(self, sql: str) -> Any:
        """A cursor that has run a statement."""
        try:
            cursor = self.connection.cursor()
            cursor.execute(sql)
        except Exception as problem:  # noqa: BLE001 - the driver has its own hierarchy
            raise self.meaning(problem) from None
        return cursor

    def scan(self, base: str, columns: Sequence[Column], predicate: str) -> Scan:
        """Rows, kept in a file because they can be read from the server only once."""
        offered = self.count(base, predicate)
        rows = self.query(f"select {self.selected(columns)} from {base} as t where {predicate}")
        file = self.scratch / "sqlserver.parquet"
        self.run(f"copy (from {rows}) to {literal(file)} (format parquet, compression lz4_raw)")
        return Scan(f"read_parquet({literal(file)})", offered, columns)

    def quote(self, name: str) -> str:
        """Brackets."""
        return "[" + name.replace("]", "]]") + "]"

    def text(self, sql: str) -> str:
        """Everything arrives as text already."""
        return sql

    def moment(self, text: str, column: Column) -> str:
        """A value that is compared as the column's own type."""
        if is_time(column):
            zoned = column.type_.endswith("ZONE")
            type_ = "datetimeoffset" if zoned else "datetime2"
            return f"convert({type_}, {literal(re.sub('[+]00$', '+00:00', text))})"
        found = number_or_text(text, column)
        return f"N{found}" if found.startswith("'") else found

    def earlier(self, moment: str, minutes: int) -> str:
        """Minutes before it."""
        return f"dateadd(minute, -{minutes}, {moment})"


def column(quoted: str, name: str, declared: str) -> Column:
    """A column by its declared type, such as `decimal(18,4)`."""
    field = f"t.{quoted}"
    word = declared.partition("(")[0]
    if word in _BINARY:
        return Column(name, "BLOB", field, problem="is binary")
    if word in ("decimal", "numeric"):
        return Column(name, declared.upper().replace("NUMERIC", "DECIMAL"),
                      f"convert(nvarchar(50), {field})")  # fmt: skip
    type_, as_text = _TYPES.get(word, ("VARCHAR", _TEXT))
    return Column(name, type_, as_text.format(field))


def connection_string(url: SplitResult) -> str:
    """What the driver understands, from mssql://user:password@host:port/database?Key=value."""

    def braced(value: str) -> str:
        return "{" + value.replace("}", "}}") + "}"

    parts = {
        "Server": f"{url.hostname or '127.0.0.1'},{url.port or 1433}",
        "Database": braced(unquote(url.path.strip("/"))),
        "UID": braced(unquote(url.username or "")),
        "PWD": braced(unquote(url.password or "")),
        "Encrypt": "yes",
    }
    parts |= dict(parse_qsl(url.query))
    return ";".join(f"{key}={value}" for key, value in parts.items())


@contextmanager
def connect(opening: Opening) -> Iterator[Database]:
    """The database of mssql://user:password@host:port/database."""
    try:
        driver = import_module("mssql_python")
    except ImportError:
        raise ConfigError(
            f"source {opening.config.name}: the driver for SQL Server is not installed",
            fix=".venv/bin/uv pip install mssql-python (it is not part of requirements.lock)",
        ) from None
    try:
        connection = driver.connect(connection_string(opening.url), autocommit=False)
    except Exception as problem:  # noqa: BLE001 - the driver has its own hierarchy
        raise SqlServer(opening.duck, opening.scratch, None).meaning(problem) from None
    with closing(connection):
        database = SqlServer(opening.duck, opening.scratch, connection)
        database.send("set transaction isolation level snapshot")
        yield database
