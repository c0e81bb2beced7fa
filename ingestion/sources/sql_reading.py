"""PostgreSQL rows by `COPY TO STDOUT` into a file that DuckDB reads with the declared types.

Numerics stay exact, an empty string stays different from NULL, newlines inside values are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import sql

from ingestion.parquet import literal, quote
from ingestion.readers import Reading, not_landed
from khach.redact import shape

if TYPE_CHECKING:
    import psycopg

    from khach.progress import Reporter

_TYPES = {
    "bool": "BOOLEAN",
    "int2": "BIGINT",
    "int4": "BIGINT",
    "int8": "BIGINT",
    "float4": "DOUBLE",
    "float8": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
}


@dataclass(frozen=True)
class SqlColumns:
    """A table's columns: names and DuckDB types, in order."""

    types: tuple[tuple[str, str], ...]

    def names(self) -> list[str]:
        """The columns' names."""
        return [name for name, _ in self.types]

    def duckdb_types(self) -> dict[str, str]:
        """Name to DuckDB type."""
        return dict(self.types)

    def only(self, wanted: Sequence[str]) -> SqlColumns:
        """The columns that a mapping reads, whatever their case there."""
        lowered = {name.lower() for name in wanted}
        return SqlColumns(tuple(pair for pair in self.types if pair[0].lower() in lowered))

    def reading(self, path: Path, file: str, rows: int, *, is_parallel: bool) -> Reading:
        """The copied rows as a relation with their types."""
        names = ["_copied", *self.names()]
        declared = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
        options = (
            f"header=false, auto_detect=false, delim=',', quote='\"', escape='\"', nullstr='', "
            "allow_quoted_nulls=false, max_line_size=100000000, buffer_size=200000000, "
            f"parallel={str(is_parallel).lower()}, columns={{{declared}}}"
        )
        fields = "".join(f"{_cast(name, type_)} as {quote(name)}, " for name, type_ in self.types)
        failed = " ".join(
            f"when {quote(name)} is not null and {_cast(name, type_)} is null "
            f"then {literal(f'{name}: a value that {type_} cannot hold')}"
            for name, type_ in self.types
            if type_ != "VARCHAR"
        )
        malformed = f"case {failed} end" if failed else "cast(null as varchar)"
        relation = (
            f"(select {fields}{literal(file)} as _file, _row, {malformed} as _malformed, "
            "cast(to_json(r) as varchar) as _original from "
            f"(select *, row_number() over () as _row from read_csv({literal(path)}, {options}))"
            " as r)"
        )
        return Reading(
            self.duckdb_types(), {file: rows}, lambda _, landed: not_landed(relation, landed)
        )


def base_query(from_: str) -> sql.Composable:
    """A table's name (`schema.table`) or one SELECT, as something to select from."""
    if " " in from_.strip():
        return sql.SQL("(" + from_.strip().rstrip(";") + ")")  # type: ignore[arg-type]
    return sql.Identifier(*from_.strip().split("."))


def describe_columns(connection: psycopg.Connection[Any], from_: str) -> SqlColumns:
    """The columns that a table or query has."""
    cursor = connection.execute(sql.SQL("select * from {} as t limit 0").format(base_query(from_)))
    found = []
    for column in cursor.description or []:
        info = connection.adapters.types.get(column.type_code)
        name = info.name if info else "text"
        type_ = _TYPES.get(name, "VARCHAR")
        if name == "numeric" and column.precision and column.precision <= 38:
            type_ = f"DECIMAL({column.precision},{column.scale or 0})"
        found.append((column.name, type_))
    return SqlColumns(tuple(found))


def sample_value(
    connection: psycopg.Connection[Any], base: sql.Composable, column: str
) -> str | None:
    """The shape of one value of a column (its name in lower case)."""
    cursor = connection.execute(sql.SQL("select * from {} as t limit 0").format(base))
    names = [found.name for found in cursor.description or [] if found.name.lower() == column]
    field = sql.SQL("t.{}").format(sql.Identifier(names[0]))
    query = sql.SQL("select {field}::text from {base} as t where {field} is not null limit 1")
    row = connection.execute(query.format(field=field, base=base)).fetchone()
    return shape(row[0]) if row else None


def copy_query(
    base: sql.Composable, columns: SqlColumns, predicate: sql.Composable
) -> sql.Composed:
    """The rows as CSV; the first field is never empty, so no line is blank."""
    fields = [sql.SQL("t.{}").format(sql.Identifier(name)) for name in columns.names()]
    return sql.SQL("copy (select {} from {} as t where {}) to stdout (format csv)").format(
        sql.SQL(", ").join([sql.SQL("1"), *fields]), base, predicate
    )


def read_copy(
    connection: psycopg.Connection[Any], query: sql.Composed, path: Path, progress: Reporter
) -> None:
    """Stream the rows into a file; a newline counts as a row for those who watch."""
    with path.open("wb") as out, connection.cursor().copy(query) as rows:
        for block in rows:
            out.write(block)
            progress.advance(bytes(block).count(b"\n"))


def _cast(name: str, type_: str) -> str:
    return quote(name) if type_ == "VARCHAR" else f"try_cast({quote(name)} as {type_})"
