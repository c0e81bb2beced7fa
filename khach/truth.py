"""A file of truth beside our assignment of records to customers, for `khach identity evaluate`."""

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from khach.environment import Environment
from khach.errors import ConfigError, KhachError
from khach.state import connect

_SCOPE = ("source", "record_kind")


def paired(env: Environment, truth: Path) -> tuple[pa.Table, pa.Table]:
    """(ours, truth), each with unique `record_id` and `entity_id`.

    The file (CSV or Parquet) has record_id and entity_id (or person_id); columns source and
    record_kind, where it has them, are part of the record's key. Raises ConfigError for other
    columns, KhachError before the first run.
    """
    if not env.warehouse.exists():
        raise KhachError("no customer is resolved yet", fix="khach run")
    connection = connect(env.warehouse, read_only=True)
    try:
        columns = _columns(connection, truth)
        entity = "entity_id" if "entity_id" in columns else "person_id"
        if "record_id" not in columns or entity not in columns:
            raise ConfigError(
                f"the file has the columns {', '.join(columns)}",
                file=truth,
                fix="it needs record_id and entity_id, and may have source and record_kind",
            )
        scope = [name for name in _SCOPE if name in columns]
        key = " || ':' || ".join(f"{name}::varchar" for name in (*scope, "record_id"))
        return (
            connection.execute(
                f"select distinct {key} as record_id, customer_id as entity_id "
                "from intermediate.int_record_customers"
            ).to_arrow_table(),
            connection.execute(
                f"select distinct {key} as record_id, {entity}::varchar as entity_id "
                f"from {_file(truth)}"
            ).to_arrow_table(),
        )
    finally:
        connection.close()


def worst_merges(env: Environment, truth: Path, *, most: int = 10) -> list[dict[str, Any]]:
    """The customers with most wrong pairs of records: customer_id, records, people, wrong_pairs."""
    ours, theirs = paired(env, truth)
    connection = duckdb.connect()
    try:
        connection.register("ours", ours)
        connection.register("theirs", theirs)
        result = connection.execute(
            "with parts as (select ours.entity_id as customer_id, theirs.entity_id as person, "
            "count(*) as n from ours join theirs using (record_id) "
            "where ours.entity_id is not null group by all) "
            "select customer_id, sum(n)::bigint as records, count(*) as people, "
            "((sum(n) * sum(n) - sum(n * n)) // 2)::bigint as wrong_pairs from parts group by 1 "
            "having count(*) > 1 order by wrong_pairs desc, customer_id limit ?",
            [most],
        )
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    finally:
        connection.close()


def _columns(connection: duckdb.DuckDBPyConnection, truth: Path) -> list[str]:
    try:
        return [str(row[0]) for row in
                connection.execute(f"describe from {_file(truth)}").fetchall()]  # fmt: skip
    except duckdb.Error:
        raise ConfigError("the file is neither CSV nor Parquet", file=truth) from None


def _file(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
