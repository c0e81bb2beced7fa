"""The tables of the snapshot `current` as tables of a PostgreSQL schema: types, keys, comments."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from khach.dbt_manifest import PublicTable, public_tables
from khach.environment import Environment
from khach.extensions import load_extension

if TYPE_CHECKING:
    import psycopg
    from psycopg.sql import Composed

_TYPES = {
    "BOOLEAN": "boolean", "TINYINT": "smallint", "SMALLINT": "smallint", "INTEGER": "integer",
    "BIGINT": "bigint", "HUGEINT": "numeric(38,0)", "UTINYINT": "smallint", "USMALLINT": "integer",
    "UINTEGER": "bigint", "UBIGINT": "numeric(20,0)", "FLOAT": "real", "DOUBLE": "double precision",
    "DATE": "date", "TIMESTAMP": "timestamp", "TIMESTAMP WITH TIME ZONE": "timestamptz",
}  # fmt: skip


def load_tables(
    env: Environment, server: psycopg.Connection, url: str, schema: str, analyst: str
) -> None:
    """Fill two empty schemas: the tables, and views on them without personal columns."""
    from ingestion.parquet import duckdb_session, literal, quote

    snapshot = env.current.resolve()
    env.scratch.mkdir(parents=True, exist_ok=True)
    with duckdb_session(env.scratch) as duck:
        load_extension(duck, "postgres_scanner")
        duck.execute("set pg_null_byte_replacement = ''")  # PostgreSQL has no such byte in a text
        duck.execute(f"attach {literal(snapshot / 'marts.duckdb')} as marts (read_only)")
        tables = [t for t in public_tables(env) if _columns(duck, "main", t.name)]
        for table in tables:
            columns = _columns(duck, "main", table.name)
            fields = ", ".join(f"{{}} {_type(type_)}" for _, type_ in columns)
            names = [name for name, _ in columns]
            do(server, f"create table {{}}.{{}} ({fields})", schema, table.name, *names)
        duck.execute(f"attach {literal(url)} as target (type postgres, schema {literal(schema)})")
        for table in tables:
            values = [_value(quote(n), type_) for n, type_ in _columns(duck, "main", table.name)]
            duck.execute(
                f"insert into target.{quote(schema)}.{quote(table.name)} "
                f"select {', '.join(values)} from marts.main.{quote(table.name)}"
            )
        duck.execute("detach target")
        for table in tables:
            _finish(server, schema, table, [name for name, _ in _columns(duck, "main", table.name)])
            if shown := [name for name, _ in _columns(duck, "analyst", table.name)]:
                _show(server, (schema, analyst), table, shown)
    _name_snapshot(snapshot, server, schema, analyst)


def statement(text: str, *names: str) -> Composed:
    """A statement whose `{}` are filled with quoted names."""
    from psycopg import sql

    return sql.SQL(text).format(*map(sql.Identifier, names))


def do(server: psycopg.Connection, text: str, *names: str) -> None:
    """Run a statement, its `{}` filled with quoted names."""
    server.execute(statement(text, *names))


def _columns(duck: duckdb.DuckDBPyConnection, schema: str, table: str) -> list[tuple[str, str]]:
    return duck.execute(
        "select column_name, data_type from duckdb_columns() where database_name = 'marts' "
        "and schema_name = ? and table_name = ? order by column_index",
        [schema, table],
    ).fetchall()


def _type(type_: str) -> str:
    return f"numeric{type_[7:]}" if type_.startswith("DECIMAL") else _TYPES.get(type_, "text")


def _value(name: str, type_: str) -> str:
    wide = {"HUGEINT": 38, "UBIGINT": 20}
    if type_ in wide:
        return f"cast({name} as decimal({wide[type_]}, 0))"
    return f"cast({name} as varchar)" if _type(type_) == "text" else name


def _finish(
    server: psycopg.Connection, schema: str, table: PublicTable, columns: Sequence[str]
) -> None:
    """Key, comments and statistics."""
    import psycopg

    if table.key and set(table.key) <= table.required:
        holes = ", ".join("{}" for _ in table.key)
        add = f"alter table {{}}.{{}} add primary key ({holes})"
        with suppress(psycopg.errors.ProgramLimitExceeded):  # a text too long for any index
            do(server, add, schema, table.name, *table.key)
    _comment(server, "table", schema, table, columns)
    do(server, "analyze {}.{}", schema, table.name)


def _show(
    server: psycopg.Connection, schemas: tuple[str, str], table: PublicTable, shown: Sequence[str]
) -> None:
    schema, analyst = schemas
    holes = ", ".join("{}" for _ in shown)
    view = f"create view {{}}.{{}} as select {holes} from {{}}.{{}}"
    do(server, view, analyst, table.name, *shown, schema, table.name)
    _comment(server, "view", analyst, table, shown)


def _comment(
    server: psycopg.Connection, kind: str, schema: str, table: PublicTable, columns: Sequence[str]
) -> None:
    from psycopg import sql

    said = [sql.SQL(f"comment on {kind} {{}} is {{}}").format(
        sql.Identifier(schema, table.name), sql.Literal(table.comment))]  # fmt: skip
    said += [
        sql.SQL("comment on column {} is {}").format(
            sql.Identifier(schema, table.name, column), sql.Literal(table.columns[column])
        )
        for column in columns
        if table.columns.get(column)
    ]
    server.execute(sql.SQL("; ").join(said))


def _name_snapshot(folder: Path, server: psycopg.Connection, schema: str, analyst: str) -> None:
    """Table `snapshot`: which one this is, in one row."""
    note = json.loads((folder / "snapshot.json").read_text(encoding="utf-8"))
    do(server, "create table {}.snapshot (snapshot_id text primary key, run_id text, "
       "as_of timestamp, published_at timestamp)", schema)  # fmt: skip
    fields = ("snapshot_id", "run_id", "as_of", "published_at")
    insert = statement("insert into {}.snapshot values (%s, %s, %s, %s)", schema)
    server.execute(insert, [note[field] for field in fields])
    do(server, "create view {}.snapshot as select * from {}.snapshot", analyst, schema)
