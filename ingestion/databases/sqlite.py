"""SQLite, through DuckDB's extension, in one read transaction; every value comes as text.

A column may hold a value of any type whatever it declares: what does not fit is quarantined.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote

import duckdb

from ingestion.databases.dialect import (
    Column,
    Database,
    Opening,
    QueryError,
    RefusedError,
    Scan,
    UnreachableError,
    is_select,
)
from ingestion.parquet import literal
from ingestion.parquet import quote as quoted
from khach.extensions import load_extension

# SQLite's own rule: a word inside the declared type decides; the first that fits wins. Times and
# decimals stay text, in which an offset and each digit count.
_TYPES = (
    ("BOOL", "BOOLEAN"),
    ("INT", "BIGINT"),
    ("CHAR", "VARCHAR"),
    ("CLOB", "VARCHAR"),
    ("TEXT", "VARCHAR"),
    ("BLOB", "BLOB"),
    ("REAL", "DOUBLE"),
    ("FLOA", "DOUBLE"),
    ("DOUB", "DOUBLE"),
)

Described = list[tuple[str, str]] | sqlite3.Error


class Sqlite(Database):
    """A SQLite file."""

    WORDS = {  # noqa: RUF012 - a constant of the class
        UnreachableError: ("database is locked", "database table is locked", "disk i/o error"),
        RefusedError: ("not a database", "unable to open database", "cannot open file"),
        QueryError: ("no such", "syntax error", "failed to prepare", "incomplete input"),
    }
    TABLES = "select name from sqlite_master where type in ('table', 'view') order by 1"

    def __init__(
        self, duck: duckdb.DuckDBPyConnection, scratch: Path, queries: Mapping[str, Described]
    ) -> None:
        super().__init__(duck, scratch)
        self.queries = queries

    def describe(self, from_: str) -> list[Column]:
        """The columns with the types that they declare."""
        if is_select(from_):
            described = self.queries[from_]
            if isinstance(described, Exception):
                raise self.meaning(described) from None
            return [self._column(name, type_) for name, type_ in described]
        *schema, table = from_.strip().split(".")
        place = f", {literal(schema[0])}" if schema else ""
        query = f"select name, type from pragma_table_info({literal(table)}{place}) order by cid"
        rows = self.run(f"from {self.query(query)}")
        if not rows:
            raise QueryError
        return [self._column(str(name), str(type_ or "")) for name, type_ in rows]

    def query(self, sql: str) -> str:
        """Rows whose columns are all text."""
        return f"sqlite_query('source', {literal(sql)})"

    def quote(self, name: str) -> str:
        """Standard SQL."""
        return quoted(name)

    def text(self, sql: str) -> str:
        """A real with the 15 digits that people wrote, or all 17 when those are not the value."""
        short = f"cast({sql} as text)"
        return (
            f"case when typeof({sql}) <> 'real' or cast({short} as real) = {sql} then {short} "
            f"else printf('%!.17g', {sql}) end"
        )

    def moment(self, text: str, column: Column) -> str:
        """A number where the column may hold numbers, else a text."""
        is_number = re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text)
        holds_text = any(word in column.declared for word in ("CHAR", "CLOB", "TEXT"))
        return text if is_number and not holds_text else literal(text)

    def earlier(self, moment: str, minutes: int) -> str:
        """`2026-01-01 07:00:00`; a written `T` sorts after the space, so that no row is missed."""
        return f"coalesce(datetime({moment}, '-{minutes} minutes'), {moment})"

    def scan(self, base: str, columns: Sequence[Column], predicate: str) -> Scan:
        """Rows, and which of their values are binary."""
        tests = " ".join(
            f"when typeof(t.{self.quote(c.name)}) = 'blob' "
            f"then {literal(f'{c.name}: a binary value')}"
            for c in columns
        )
        binary = Column("_khach_refused", "VARCHAR", f"case {tests} end")
        found = super().scan(base, [*columns, binary], predicate)
        return Scan(found.relation, found.offered, columns, refused="_khach_refused")

    def _column(self, name: str, declared: str) -> Column:
        upper = declared.upper()
        type_ = next((type_ for word, type_ in _TYPES if word in upper), "VARCHAR")
        field = f"t.{self.quote(name)}"
        read = f"case when typeof({field}) <> 'blob' then {self.text(field)} end"
        problem = "is binary" if type_ == "BLOB" else ""
        return Column(name, type_, read, declared=upper, problem=problem)


def _describe(file: Path, query: str) -> Described:
    """Names and declared types of what a view of the query would have."""
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as own:
            own.execute(f"create temp view described as select * from ({query.strip('; ')}) as t")
            return own.execute("select name, type from pragma_table_info('described')").fetchall()
    except sqlite3.Error as problem:
        return problem


@contextmanager
def connect(opening: Opening) -> Iterator[Database]:
    """The file of sqlite:///relative/path or sqlite:////absolute/path."""
    opening.options(())
    file = Path(unquote(opening.url.path).removeprefix("/")).expanduser().absolute()
    if not file.is_file():
        raise opening.config.problem(
            f"the database file of {opening.url_env} does not exist",
            "url_env",
            fix="write sqlite:///relative/path or sqlite:////absolute/path",
        )
    # Before DuckDB opens the file: to close it once more in this process would drop its locks.
    froms = [table.from_ for table in getattr(opening.config, "tables", {}).values()]
    queries = {query: _describe(file, query) for query in froms if is_select(query)}
    load_extension(opening.duck, "sqlite_scanner")
    database = Sqlite(opening.duck, opening.scratch, queries)
    database.run(f"attach {literal(file)} as source (type sqlite, read_only)")
    database.run("begin")
    yield database
