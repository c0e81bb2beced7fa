"""MySQL and MariaDB, through DuckDB's extension; every value that is no integer comes as text.

A statement is a snapshot, a session of the extension is none: the rows and the server's count of
them come from one statement. The cursor and the digest of a window are read before it, so that
what changes meanwhile is read again next time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import unquote

from ingestion.databases.dialect import (
    Column,
    Database,
    Opening,
    QueryError,
    RefusedError,
    Scan,
    UnreachableError,
    is_select,
    is_time,
    number_or_text,
)
from ingestion.parquet import literal
from khach.extensions import load_extension

_INTEGERS = ("tinyint", "smallint", "mediumint", "int", "integer", "bigint", "year")
_TYPES = {
    "float": "DOUBLE",
    "double": "DOUBLE",
    "date": "DATE",
    "datetime": "TIMESTAMP",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
}
_TIMES = ("datetime", "timestamp")
_NUMBERS = ("decimal", "double", "float")
_TEXTS = ("char", "text", "json", "enum", "set")
_BINARY = ("blob", "binary", "geometry", "point", "polygon", "linestring")
_OPTIONS = (
    *("ssl_mode", "ssl_ca", "ssl_capath", "ssl_cert", "ssl_key", "ssl_cipher", "ssl_crl"),
    *("ssl_crlpath", "socket"),
)
_SETTINGS = {
    "mysql_session_time_zone": "'+00:00'",
    "mysql_tinyint1_as_boolean": "false",
    "mysql_query_timeout_enabled": "false",
}


class MySql(Database):
    """A MySQL or MariaDB database."""

    WORDS = {  # noqa: RUF012 - a constant of the class
        RefusedError: ("access denied", "unknown database", "not allowed to connect"),
        UnreachableError: (
            "can't connect", "lost connection", "gone away", "too many connections",
            "unknown server host", "unknown mysql server host", "unknown host", "shutdown",
        ),
        QueryError: ("failed to prepare mysql query", "doesn't exist", "command denied"),
    }  # fmt: skip
    TABLES = (
        "select if(table_schema = database(), table_name, concat(table_schema, '.', table_name)) "
        "as name from information_schema.tables where table_schema not in ('information_schema', "
        "'mysql', 'performance_schema', 'sys') order by 1"
    )

    def describe(self, from_: str) -> list[Column]:
        """A table's columns from the catalogue; a query's as the extension says them."""
        if not is_select(from_):
            *schema, table = from_.strip().split(".")
            place = literal(schema[0]) if schema else "database()"
            found = self._catalogue(f"table_schema = {place} and table_name = {literal(table)}")
            if found:
                return [self._column(name, type_) for name, type_ in found]
        rows = self.run(f"describe from {self.query(f'select * from {self.base(from_)} as t')}")
        return [self._column(str(row[0]), self._declared(str(row[0]), str(row[1]))) for row in rows]

    def query(self, sql: str) -> str:
        """Rows as they stream in."""
        return f"mysql_query('source', {literal(sql)})"

    def quote(self, name: str) -> str:
        """Backticks."""
        return "`" + name.replace("`", "``") + "`"

    def text(self, sql: str) -> str:
        """In the connection's character set, which is utf8mb4."""
        return f"cast({sql} as char)"

    def moment(self, text: str, column: Column) -> str:
        """A text that is compared as a time, or a bare number."""
        if is_time(column):
            return f"cast({literal(text)} as datetime(6))"
        return number_or_text(text, column)

    def earlier(self, moment: str, minutes: int) -> str:
        """An interval before it."""
        return f"({moment} - interval {minutes} minute)"

    def digest(self, base: str, columns: Sequence[Column], predicate: str) -> str:
        """Added up by the server; `quote` tells NULL from an empty string."""
        values = ", ".join(f"quote(t.{self.quote(column.name)})" for column in columns)
        number = f"conv(left(md5(concat_ws(',', {values})), 15), 16, 10)"
        total = f"coalesce(sum(cast({number} as unsigned)), 0)"
        query = f"select concat(count(*), ':', {total}) as digest from {base} as t"
        return str(self.row(f"{query} where {predicate}")[0])

    def scan(self, base: str, columns: Sequence[Column], predicate: str) -> Scan:
        """Rows and their count in one statement, kept in a file of text columns."""
        where = f"from {base} as t where {predicate}"
        columns = [column.as_text(self) for column in columns]
        nulls = ", ".join(["null"] * len(columns))
        rows = self.query(
            f"select null as _khach_rows, {self.selected(columns)} {where} "
            f"union all select cast(count(*) as char), {nulls} {where}"
        )
        file = self.scratch / "mysql.parquet"
        self.run(f"copy (from {rows}) to {literal(file)} (format parquet, compression lz4_raw)")
        kept = f"read_parquet({literal(file)})"
        (count,) = self.run(f"select _khach_rows from {kept} where _khach_rows is not null")
        relation = f"(select * exclude (_khach_rows) from {kept} where _khach_rows is null)"
        return Scan(relation, int(count[0]), columns)

    def _catalogue(self, where: str) -> list[tuple[str, str]]:
        query = (
            "select cast(column_name as char) as name, cast(column_type as char) as declared "
            f"from information_schema.columns where {where} order by ordinal_position"
        )
        return [(str(name), str(type_)) for name, type_ in self.run(f"from {self.query(query)}")]

    def _declared(self, name: str, duck: str) -> str:
        """The type of a query's column; of these three only the catalogue tells which it is."""
        kinds = {"TIMESTAMP": _TIMES, "BLOB": (*_BINARY, *_TEXTS), "DOUBLE": _NUMBERS}.get(duck)
        if kinds is None:
            return {"VARCHAR": "text", "BOOLEAN": "bit(1)"}.get(duck, duck.lower())
        place = f"table_schema = database() and column_name = {literal(name)}"
        declared = {type_ for _, type_ in self._catalogue(place)}
        found = {type_ for type_ in declared if any(kind in type_ for kind in kinds)}
        if len(found) == 1:
            return found.pop()
        return {"TIMESTAMP": "", "BLOB": "blob", "DOUBLE": "text"}[duck]

    def _column(self, name: str, declared: str) -> Column:
        field = f"t.{self.quote(name)}"
        if not declared:
            problem = "is a datetime or a timestamp, which a query does not tell: make it a view"
            return Column(name, "TIMESTAMP", self.text(field), problem=problem)
        type_, value = _seen(declared.lower(), field)
        return Column(name, type_, self.text(value), problem="is binary" if type_ == "BLOB" else "")


def _seen(declared: str, field: str) -> tuple[str, str]:
    """The DuckDB type of a declared one, and what of the field is read as text."""
    word = re.split(r"[( ]", declared, maxsplit=1)[0]
    type_ = _TYPES.get(word, "VARCHAR")
    if any(part in word for part in _BINARY):
        type_ = "BLOB"
    elif word in _INTEGERS or "int" in word:
        is_wide = "unsigned" in declared or word.startswith(("u", "h"))
        type_ = "HUGEINT" if is_wide else "BIGINT"
    elif word == "bit":
        type_, field = "BOOLEAN" if declared == "bit(1)" else "HUGEINT", f"({field} + 0)"
    elif word in ("float", "double"):
        field = f"({field} + 0e0)"
    elif size := re.match(r"(?:decimal|numeric)\(([0-9]+),([0-9]+)\)", declared):
        type_ = f"DECIMAL({size[1]},{size[2]})" if int(size[1]) <= 38 else "VARCHAR"
    return type_, field


@contextmanager
def connect(opening: Opening) -> Iterator[Database]:
    """The database of mysql://user:password@host:port/database."""
    load_extension(opening.duck, "mysql_scanner")
    options = opening.options(_OPTIONS)
    settings = {
        "host": opening.url.hostname or "127.0.0.1",
        "port": str(opening.url.port or 3306),
        "user": unquote(opening.url.username or ""),
        "password": unquote(opening.url.password or ""),
        "database": unquote(opening.url.path.strip("/")),
        **options,
    }
    for name, value in _SETTINGS.items():
        opening.duck.execute(f"set {name} = {value}")
    parts = ", ".join(f"{name} {literal(value)}" for name, value in settings.items() if value)
    opening.duck.execute(f"create secret source_address (type mysql, {parts})")
    database = MySql(opening.duck, opening.scratch)
    database.run("attach '' as source (type mysql, secret source_address, read_only)")
    yield database
