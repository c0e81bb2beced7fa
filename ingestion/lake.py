"""The lake: which loads of a source are committed, what lies in them, what a load tells of itself.

A load is committed by its line in `_dlt_loads`; files of other load ids are leftovers. Everything
that the next read must know (`_deliveries`) is part of the load, so that it commits with it.
`ingestion.dlt_pipeline` alone puts files here.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb

from ingestion.manifest import compacted_tables, rows_of, table_files
from ingestion.parquet import constant, copy_to_parquet, duckdb_session, quote
from ingestion.quarantine import QuarantinedRow
from ingestion.spec import Delivery, Extract, TableSpec

if TYPE_CHECKING:
    from pathlib import Path

    from khach.environment import Environment

DELIVERIES = TableSpec(
    "_deliveries",
    {
        "table_name": "v",
        "file": "v",
        "rows_offered": "i",
        "rows_landed": "i",
        "rows_quarantined": "i",
        "filtered": "i",
        "fingerprint": "v",
        "cursor": "v",
        "columns": "j",
        "backfill": "v",
    },
)
# Only loads of a replay have it: what came out of the quarantine, in case the load is rejected.
REPLAYED = TableSpec("_replayed", {"table_name": "v", "record": "j"})


@dataclass(frozen=True)
class CommittedLoad:
    """A landed load: its id and when it was committed (naive UTC)."""

    load_id: str
    landed_at: datetime


def raw_folder(env: Environment, source: str) -> Path:
    """Where a source's raw tables are."""
    return env.lake / f"raw_{source}"


def committed_loads(
    env: Environment, source: str, known: Mapping[str, datetime] | None = None
) -> list[CommittedLoad]:
    """The landed loads of a source, oldest first.

    The records of `known` loads (their id and when they landed) are not read once more, so that
    the work grows with what is new.
    """
    loads = []
    for path in (raw_folder(env, source) / "_dlt_loads").glob("*.jsonl"):
        load_id = path.stem.rpartition("__")[2]  # <schema>__<load_id>.jsonl
        if known and load_id in known:
            loads.append(CommittedLoad(load_id, known[load_id]))
            continue
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            landed = datetime.fromisoformat(record["inserted_at"])
        except (ValueError, KeyError):
            continue  # cut off by a kill: the load is still pending and its record comes again
        if record.get("status") == 0:
            naive = landed.astimezone(UTC).replace(tzinfo=None)
            loads.append(CommittedLoad(str(record["load_id"]), naive))
    return sorted(loads, key=lambda load: float(load.load_id))


def load_rows(env: Environment, source: str, table: str, loads: Collection[str]) -> str | None:
    """SQL of the rows of some loads of a table, with `_load_id`; None when there is no file."""
    files = table_files(raw_folder(env, source), table)
    landed = [path for load in loads for path in files.landed.get(load, [])]
    compacted = files.compacted(set(loads))
    return rows_of(landed, compacted, loads) if landed or compacted else None


def deliveries(
    env: Environment,
    source: str,
    load_ids: list[str],
    connection: duckdb.DuckDBPyConnection | None = None,
) -> list[tuple[str, Delivery]]:
    """The `_deliveries` rows of some loads, each with its load id.

    An open connection to whatever database spares one of its own, 15 ms.
    """
    relation = load_rows(env, source, DELIVERIES.name, load_ids)
    if relation is None:
        return []
    columns = ", ".join(DELIVERIES.columns)
    # The typed empty side gives a column that the files of an older release do not have.
    typed = ", ".join(f"null::{type_} as {n}" for n, type_ in DELIVERIES.duckdb_columns().items())
    with nullcontext(connection) if connection else duckdb.connect() as opened:
        rows = opened.execute(
            f"select _load_id, {columns} from (select {typed} where false union all by name "
            f"select * from {relation}) order by all"
        ).fetchall()
    return [(row[0], Delivery(*row[1:])) for row in rows]


def replayed(
    env: Environment, source: str, load_ids: list[str]
) -> list[tuple[str, QuarantinedRow]]:
    """The rows that some loads took out of the quarantine, each with its load id."""
    relation = load_rows(env, source, REPLAYED.name, load_ids)
    if relation is None:
        return []
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"select _load_id, table_name, record from {relation} order by all"
        ).fetchall()
    return [
        (load, QuarantinedRow.from_record(table, json.loads(record)))
        for load, table, record in rows
    ]


def tables_present(env: Environment, source: str) -> set[str]:
    """The tables that committed loads have written."""
    folder = raw_folder(env, source)
    if not folder.is_dir():
        return set()
    landed = {path.name for path in folder.iterdir() if any(path.glob("*.parquet"))}
    return landed | compacted_tables(folder)


def write_tables(
    tables: list[TableSpec], extract: Extract, folder: Path
) -> list[tuple[TableSpec, Path]]:
    """The Parquet file of each table: as it was read, without rows, or what we tell of the load."""
    told = [(DELIVERIES, [asdict(delivery) for delivery in extract.deliveries])]
    if extract.replayed:
        records = [
            {"table_name": row.table, "record": json.dumps(row.record(), ensure_ascii=False)}
            for row in extract.replayed
        ]
        told.append((REPLAYED, records))
    nothing: list[dict[str, Any]] = []
    files = []
    with duckdb_session(folder) as connection:
        for table, rows in [*((table, nothing) for table in tables), *told]:
            path = extract.files.get(table.name)
            if path is None:
                path = folder / f"told-{table.name}.parquet"
                _write_rows(connection, table, rows, path)
            files.append((table, path))
    return files


def _write_rows(
    connection: duckdb.DuckDBPyConnection,
    table: TableSpec,
    rows: list[dict[str, Any]],
    path: Path,
) -> None:
    columns = ", ".join(f"{quote(name)} {type_}" for name, type_ in table.duckdb_columns().items())
    connection.execute(f"create or replace temp table rows_of_table ({columns})")
    for start in range(0, len(rows), 1000):
        values = (
            ", ".join(constant(row[name]) for name in table.columns)
            for row in rows[start : start + 1000]
        )
        connection.execute(f"insert into rows_of_table values ({'), ('.join(values)})")
    copy_to_parquet(connection, table, "select * from rows_of_table", path)
