"""PostgreSQL: binary COPY through DuckDB's extension, in one REPEATABLE READ transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from ingestion.databases.dialect import (
    ALWAYS,
    Column,
    Database,
    Opening,
    QueryError,
    RefusedError,
    Scan,
    UnreachableError,
    is_time,
)
from ingestion.parquet import literal
from ingestion.parquet import quote as quoted
from khach.extensions import load_extension

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

_OPTIONS = "-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=3"
# The server's type to the one that a mapping sees and the one in which it arrives.
_TYPES = {
    "boolean": ("BOOLEAN", "BOOLEAN"),
    "smallint": ("BIGINT", "SMALLINT"),
    "integer": ("BIGINT", "INTEGER"),
    "bigint": ("BIGINT", "BIGINT"),
    "real": ("DOUBLE", "FLOAT"),
    "double precision": ("DOUBLE", "DOUBLE"),
    "date": ("DATE", "DATE"),
    "timestamp without time zone": ("TIMESTAMP", "TIMESTAMP"),
    "timestamp with time zone": ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE"),
    "text": ("VARCHAR", "VARCHAR"),
    "character varying": ("VARCHAR", "VARCHAR"),
}
# A large table that several connections may read side by side, by its schema and name. DuckDB does
# not tell upper from lower case, so no other may bear its name; nor may connections be counted.
_LARGE_BYTES = 32_000_000
_SHARED = """select n.nspname as schema, c.relname as name from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    join pg_roles as r on r.rolname = current_user and r.rolconnlimit < 0
    join pg_database as d on d.datname = current_database() and d.datconnlimit < 0
    where c.oid = to_regclass({name}) and c.relkind = 'r' and not pg_is_in_recovery()
    and pg_relation_size(c.oid) >= {size} and current_setting('server_version_num')::int >= 140000
    and (select count(*) from pg_class as o join pg_namespace as m on m.oid = o.relnamespace where
        lower(o.relname) = lower(c.relname) and lower(m.nspname) = lower(n.nspname)) = 1
    and not exists (select from pg_attribute as a where a.attrelid = c.oid and a.attnum > 0
        and not a.attisdropped group by lower(a.attname) having count(*) > 1)"""


class Postgres(Database):
    """A PostgreSQL database."""

    WORDS = {  # noqa: RUF012 - a constant of the class
        UnreachableError: (
            "connection refused", "could not translate", "timeout expired", "server closed",
            "terminating connection", "starting up", "shutting down", "too many connections",
            "no such file", "could not connect", "connection reset", "unreachable",
        ),
        RefusedError: (
            "authentication failed", "no password supplied", "no pg_hba", 'role "', 'database "',
            "invalid connection option", "invalid port", "missing \"=\"",
        ),
        QueryError: ("failed to prepare query", "does not exist", "permission denied", "no fields"),
    }  # fmt: skip
    TABLES = (
        "select case when schemaname = current_schema() then '' else schemaname || '.' end || name "
        "from (select schemaname, tablename as name from pg_tables union all "
        "select schemaname, viewname from pg_views) as t where schemaname not in "
        "('pg_catalog', 'information_schema') and has_table_privilege(format('%I.%I', schemaname, "
        "name), 'select') order by 1"
    )

    def __init__(self, duck: duckdb.DuckDBPyConnection, scratch: Path) -> None:
        super().__init__(duck, scratch)
        # Rows of a table or query, and how many of them are odd in a column: one snapshot holds.
        self._looked_at: dict[str, tuple[int, Mapping[str, int]]] = {}

    def describe(self, from_: str) -> list[Column]:
        """Names and numeric(p,s) as the extension says them, the rest as PostgreSQL does."""
        base = self.base(from_)
        found = self.run(f"describe from {self.query(f'select * from {base} as t limit 0')}")
        names = [str(row[0]) for row in found]
        # A join that never matches: the types are known without a row being read.
        fields = ", ".join(
            f"pg_typeof(t.{self.quote(name)})::text as c{i}" for i, name in enumerate(names)
        )
        types = self.row(f"select {fields} from (select 1) as d left join {base} as t on false")
        columns = []
        for (name, duck, *_), type_ in zip(found, types, strict=True):
            read = f"t.{self.quote(name)}"
            seen, arrives = _TYPES.get(type_, ("VARCHAR", ""))
            if type_ == "numeric" and str(duck).startswith("DECIMAL"):
                seen = arrives = str(duck)
            problem = "is binary" if type_ == "bytea" else ""
            read = read if arrives else self.text(read)
            columns.append(Column(name, seen, read, arrives or seen, type_, problem))
        return columns

    def query(self, sql: str) -> str:
        """Rows by binary COPY, on the transaction's own connection."""
        return f"postgres_query('source', {literal(sql)})"

    def quote(self, name: str) -> str:
        """Standard SQL."""
        return quoted(name)

    def text(self, sql: str) -> str:
        """Dates in ISO, moments in UTC, whatever the server's own settings."""
        return f"{sql}::text"

    def moment(self, text: str, column: Column) -> str:
        """A literal of the column's own type."""
        return f"{literal(text)}::{column.declared}"

    def earlier(self, moment: str, minutes: int) -> str:
        """An interval before it."""
        return f"({moment} - make_interval(mins => {minutes}))"

    def largest(self, base: str, columns: Sequence[Column], cursor: Column) -> str | None:
        """Told by the same look at all rows as what `scan` has to know of them."""
        field, odd = self.quote(cursor.name), self._odd(columns)
        counts = ["count(*)", *(f"count(*) filter (where {test})" for test in odd.values())]
        named = ", ".join(f"{count} as khach_{i}" for i, count in enumerate(counts))
        names = ", ".join(f"t.khach_{i}" for i in range(len(counts)))
        newest, offered, *strange = self.row(
            f"select {cursor.as_text(self).read} as khach_largest, {names} from "
            f"(select max(t.{field}) as {field}, {named} from {base} as t) as t"
        )
        self._looked_at[base] = (int(offered), dict(zip(odd, map(int, strange), strict=True)))
        return None if newest is None else str(newest)

    def digest(self, base: str, columns: Sequence[Column], predicate: str) -> str:  # noqa: ARG002
        """Added up by the server, over whole rows."""
        total = "coalesce(sum(hashtextextended(t::text, 0)), 0)"
        query = f"select count(*) || ':' || {total} as digest from {base} as t where {predicate}"
        return str(self.row(query)[0])

    def scan(self, base: str, columns: Sequence[Column], predicate: str) -> Scan:
        """Binary values, where each can be told from another.

        The extension reads NaN as 0 and wraps times beyond its range: where there are such
        values, all come as text.
        """
        odd = self._odd(columns)
        if predicate == ALWAYS and base in self._looked_at:
            offered, counts = self._looked_at[base]
            strange = sum(counts[name] for name in odd)
        else:
            test = " or ".join(odd.values()) or "false"
            query = f"select count(*) as n, count(*) filter (where {test}) as m from {base} as t"
            offered, strange = self.row(f"{query} where {predicate}")
        if strange:
            columns = [column.as_text(self) for column in columns]
        if predicate == ALWAYS and (whole := self._whole(base, columns)):
            return Scan(whole, int(offered), columns, row="nextval('khach_rows')")
        rows = self.query(f"select {self.selected(columns)} from {base} as t where {predicate}")
        return Scan(rows, int(offered), columns)

    def _odd(self, columns: Sequence[Column]) -> Mapping[str, str]:
        """For the columns that may hold such a value, SQL that says that one is."""
        odd = {}
        for column in columns:
            field = f"t.{self.quote(column.name)}"
            if column.arrives.startswith("DECIMAL"):
                odd[column.name] = f"{field} = 'NaN'"
            elif is_time(column):
                odd[column.name] = f"{field} > '9999-12-31'"
        return odd

    def _whole(self, base: str, columns: Sequence[Column]) -> str | None:
        """A large table as the extension reads it: by pages, over several connections.

        They share this transaction's snapshot. None where a value would not come as it should.
        """
        if any(column.read != f"t.{self.quote(column.name)}" for column in columns):
            return None
        found = self.row(_SHARED.format(name=literal(base), size=_LARGE_BYTES))
        if found[0] is None:
            return None
        names = ", ".join(self.quote(column.name) for column in columns)
        whole = f"(select {names} from source.{self.quote(found[0])}.{self.quote(found[1])})"
        arriving = [str(row[1]) for row in self.run(f"describe {whole[1:-1]}")]
        if arriving != [column.arrives for column in columns]:
            return None
        self.run("create or replace temp sequence khach_rows")
        # The pages come in any order: keeping it while the file is written is a sixth of the work.
        self.run("set preserve_insertion_order = false")
        return whole


@contextmanager
def connect(opening: Opening) -> Iterator[Database]:
    """The database of a URL; everything that libpq understands may stand in it."""
    load_extension(opening.duck, "postgres_scanner")
    wanted = {"connect_timeout": "10", "options": quote_plus(_OPTIONS).replace("+", "%20")}
    extra = [
        f"{key}={value}" for key, value in wanted.items() if f"{key}=" not in opening.url.query
    ]
    database = Postgres(opening.duck, opening.scratch)
    database.address = opening.url._replace(
        query="&".join(filter(None, [opening.url.query, *extra]))
    ).geturl()
    # What the extension then opens is REPEATABLE READ and READ ONLY.
    database.run(f"attach {literal(database.address)} as source (type postgres, read_only)")
    database.run("begin")
    yield database
