"""What the `sql` source needs of a database, whatever its dialect.

All rows come through DuckDB: a dialect runs a query in the server's own SQL and hands the rows
over as a DuckDB relation, natively typed where that is exact and as text where it is not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import SplitResult, parse_qsl

import duckdb

from ingestion.parquet import literal

if TYPE_CHECKING:
    from ingestion.spec import SourceConfig

ALWAYS = "1 = 1"
ROW_NUMBER = "row_number() over ()"


@dataclass(frozen=True)
class Column:
    """A column of a table or query.

    `type_` is the DuckDB type that a mapping sees; `read` is the server's SQL for it over alias
    `t`; `arrives` is the DuckDB type in which that comes; `declared` is the server's own name of
    the type; `problem` says why no mapping can read it.
    """

    name: str
    type_: str
    read: str
    arrives: str = "VARCHAR"
    declared: str = ""
    problem: str = ""

    def as_text(self, database: Database) -> Column:
        """The same column, arriving as text."""
        if self.arrives == "VARCHAR":
            return self
        return replace(self, read=database.text(self.read), arrives="VARCHAR")


@dataclass(frozen=True)
class Scan:
    """The rows of a read: a DuckDB relation, the server's count of them, and how they arrive.

    `refused` is DuckDB's SQL over a row: why it cannot be read, or null; `row` is its number, once.
    """

    relation: str
    offered: int
    columns: Sequence[Column]
    refused: str = "cast(null as varchar)"
    row: str = ROW_NUMBER


class RefusedError(Exception):
    """The database refuses the name, the password, the right or the database."""


class UnreachableError(Exception):
    """The database does not answer, or stopped answering."""


class QueryError(Exception):
    """The database does not understand a query: a table, a column or a right is missing."""


class Database(ABC):
    """An open connection; `duck` is the session of DuckDB in which its rows are read."""

    # The words by which the dialect's own errors are known.
    WORDS: ClassVar[Mapping[type[Exception], tuple[str, ...]]] = {}
    # Tables and views that the user may read, as `from` would name them.
    TABLES: ClassVar[str]

    address = "-"  # as it may stand in an error's words

    def __init__(self, duck: duckdb.DuckDBPyConnection, scratch: Path) -> None:
        self.duck = duck
        self.scratch = scratch

    @abstractmethod
    def describe(self, from_: str) -> list[Column]:
        """The columns of a table or query, with their declared types."""

    @abstractmethod
    def query(self, sql: str) -> str:
        """A DuckDB relation of the rows of a query in the server's SQL."""

    @abstractmethod
    def quote(self, name: str) -> str:
        """An identifier in the server's quotes."""

    @abstractmethod
    def text(self, sql: str) -> str:
        """The server's SQL for an expression as text."""

    @abstractmethod
    def moment(self, text: str, column: Column) -> str:
        """A value of a cursor column, as the server's SQL."""

    @abstractmethod
    def earlier(self, moment: str, minutes: int) -> str:
        """A moment some minutes before another, as the server's SQL."""

    def base(self, from_: str) -> str:
        """A table's name (`schema.table`) or one SELECT, as something to select from."""
        wanted = from_.strip().rstrip(";")
        if is_select(wanted):
            return f"({wanted})"
        return ".".join(self.quote(part) for part in wanted.split("."))

    def row(self, sql: str) -> tuple[Any, ...]:
        """The one row of a query in the server's SQL."""
        rows = self.run(f"from {self.query(sql)}")
        return rows[0] if rows else (None, None)

    def tables(self) -> list[str]:
        """Tables and views that the user may read; ends a transaction that a query has broken."""
        with suppress(duckdb.Error):
            self.duck.execute("rollback")
        return [str(row[0]) for row in self.run(f"from {self.query(self.TABLES)}")]

    def count(self, base: str, predicate: str = ALWAYS) -> int:
        """Rows for which a predicate over alias `t` holds."""
        return int(self.row(f"select count(*) as n from {base} as t where {predicate}")[0])

    def largest(self, base: str, columns: Sequence[Column], cursor: Column) -> str | None:  # noqa: ARG002
        """The largest value of a cursor, one of the columns, as text."""
        field = self.quote(cursor.name)
        found = f"select max(t.{field}) as {field} from {base} as t"
        value = self.row(f"select {cursor.as_text(self).read} as v from ({found}) as t")[0]
        return None if value is None else str(value)

    def digest(self, base: str, columns: Sequence[Column], predicate: str) -> str:
        """`<rows>:<sum>`, which changes when a row does; added up by DuckDB."""
        columns = [column.as_text(self) for column in columns]
        rows = self.query(f"select {self.selected(columns)} from {base} as t where {predicate}")
        total = "coalesce(sum(md5_number_lower(cast(r as varchar))), 0)"
        return str(self.run(f"select count(*) || ':' || {total} from {rows} as r")[0][0])

    def scan(self, base: str, columns: Sequence[Column], predicate: str) -> Scan:
        """The rows for which a predicate over alias `t` holds."""
        rows = self.query(f"select {self.selected(columns)} from {base} as t where {predicate}")
        return Scan(rows, self.count(base, predicate), columns)

    def selected(self, columns: Sequence[Column]) -> str:
        """The select list of some columns."""
        return ", ".join(f"{column.read} as {self.quote(column.name)}" for column in columns)

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Run DuckDB's SQL; what the database itself says against it has its own errors."""
        try:
            return self.duck.execute(sql).fetchall()
        except duckdb.Error as problem:
            raise self.meaning(problem) from None

    def meaning(self, problem: Exception) -> Exception:
        """One of this module's errors where the words say so, else the problem itself."""
        words = str(problem).replace(self.address, "").lower()
        for error, known in self.WORDS.items():
            if any(word in words for word in known):
                return error()
        return problem


def is_select(from_: str) -> bool:
    """Whether `from` is a query and not a table's name."""
    return " " in from_.strip()


def is_time(column: Column) -> bool:
    """Whether a cursor is a time, so that it can go back some minutes."""
    words = f"{column.type_} {column.declared}".upper()
    return "TIMESTAMP" in words or "DATE" in words


def number_or_text(text: str, column: Column) -> str:
    """A literal that the server compares as what the column is."""
    is_number = column.type_ in ("BIGINT", "HUGEINT", "DOUBLE") or column.type_.startswith("DEC")
    return text if is_number else literal(text)


@dataclass(frozen=True)
class Opening:
    """What a dialect opens: a URL, named by the variable that holds it, for a DuckDB session."""

    config: SourceConfig
    url_env: str
    url: SplitResult
    duck: duckdb.DuckDBPyConnection
    scratch: Path

    def options(self, known: Sequence[str]) -> dict[str, str]:
        """The options after the `?` of the URL; ConfigError for one that is not known."""
        options = dict(parse_qsl(self.url.query))
        for name in options:
            if name not in known:
                raise self.config.problem(
                    f"the address in {self.url_env} has an unknown option {name!r}",
                    "url_env",
                    fix=f"known: {', '.join(known) or 'none'}",
                )
        return options
