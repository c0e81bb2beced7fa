"""The only place that knows where raw lands: dlt's filesystem destination, Parquet, append-only.

A load is committed by its line in `_dlt_loads`; files of other load ids are leftovers. Everything
that the next read must know (`_deliveries`) is part of the load, so that it commits with it.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from ingestion.contract import Stopped
from ingestion.manifest import compacted_tables, load_of, rows_of, table_files
from ingestion.parquet import constant, copy_to_parquet, duckdb_session, quote
from ingestion.quarantine import QuarantinedRow
from ingestion.spec import Delivery, Extract, TableSpec
from khach.errors import KhachError

if TYPE_CHECKING:
    from khach.environment import Environment

LAYOUT = "{table_name}/{load_id}.{file_id}.{ext}"
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
# dlt reads these late; the working folder must not grow, and the Parquet must not be rewritten.
_SETTINGS = {
    "LOAD__DELETE_COMPLETED_JOBS": "true",
    "LOAD__WORKERS": "2",
    "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "false",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
}
_CONTRACT = {"tables": "evolve", "columns": "evolve", "data_type": "freeze"}


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
    for path in sorted((raw_folder(env, source) / "_dlt_loads").glob("*.jsonl")):
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


def deliveries(env: Environment, source: str, load_ids: list[str]) -> list[tuple[str, Delivery]]:
    """The `_deliveries` rows of some loads, each with its load id."""
    relation = load_rows(env, source, DELIVERIES.name, load_ids)
    if relation is None:
        return []
    columns = ", ".join(DELIVERIES.columns)
    # The typed empty side gives a column that the files of an older release do not have.
    typed = ", ".join(f"null::{type_} as {n}" for n, type_ in DELIVERIES.duckdb_columns().items())
    with duckdb.connect() as connection:
        rows = connection.execute(
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


def has_pending(env: Environment, source: str) -> bool:
    """Whether an interrupted run left a load package that dlt has to finish (dlt not needed)."""
    working = env.dlt_dir / f"khach_{source}"
    packages = [*working.glob("normalize/extracted/*"), *working.glob("load/normalized/*")]
    return any(path.is_dir() for path in packages)


def finish_pending(env: Environment, source: str) -> None:
    """Finish what an interrupted run left, or take it back whole so that it is read again."""
    try:
        _pipeline(env, source).run()
    except Exception as problem:  # a torn package fails in many ways
        if disk_error(problem):
            raise
        shutil.rmtree(env.dlt_dir / f"khach_{source}", ignore_errors=True)
        remove_leftovers(env, source)


def remove_leftovers(env: Environment, source: str) -> None:
    """Delete files of loads that were never committed and will not be finished."""
    committed = {load.load_id for load in committed_loads(env, source)}
    for path in raw_folder(env, source).glob("*/*.parquet"):
        if load_of(path) not in committed:
            path.unlink()


def land(
    env: Environment,
    source: str,
    tables: list[TableSpec],
    extract: Extract,
    staging: Path,
    *,
    stopped: list[Stopped] | None = None,
) -> str:
    """Land one load and commit it; returns its id.

    Every table lands, with zero rows when nothing was delivered for it. A table of which a column
    would change its type is left out and added to `stopped`; KhachError without such a list, or
    when no table is left.
    """
    files = dict(extract.files)
    own = [DELIVERIES, REPLAYED] if extract.replayed else [DELIVERIES]
    with duckdb_session(staging) as connection:
        for table in tables:
            if table.name not in files:
                files[table.name] = staging / f"empty-{table.name}.parquet"
                _write_rows(connection, table, [], files[table.name])
        files[DELIVERIES.name] = staging / "_deliveries.parquet"
        rows = [asdict(delivery) for delivery in extract.deliveries]
        _write_rows(connection, DELIVERIES, rows, files[DELIVERIES.name])
        if extract.replayed:
            files[REPLAYED.name] = staging / "_replayed.parquet"
            rows = [
                {"table_name": row.table, "record": json.dumps(row.record(), ensure_ascii=False)}
                for row in extract.replayed
            ]
            _write_rows(connection, REPLAYED, rows, files[REPLAYED.name])
    pipeline = _pipeline(env, source)
    try:
        info = pipeline.run(_resources(source, [*tables, *own], files))
    except Exception as problem:
        changed = _type_change(problem)
        if changed is None:
            raise
    else:
        return str(info.loads_ids[0])
    rest = [table for table in tables if table.name != changed.table]
    if stopped is None or not rest:
        raise KhachError(
            f"source {source}: {changed.sentence()}; nothing of this delivery was landed",
            fix="map the column to its old type, or give the table another source name",
        )
    stopped.append(changed)
    return land(env, source, rest, _without(extract, changed.table), staging, stopped=stopped)


def _without(extract: Extract, table: str) -> Extract:
    """The extract without one table."""
    return replace(
        extract,
        files={name: path for name, path in extract.files.items() if name != table},
        deliveries=[one for one in extract.deliveries if one.table_name != table],
        replayed=[row for row in extract.replayed if row.table != table],
    )


def disk_error(problem: BaseException) -> bool:
    """Whether an error, or a cause of it, says that the disk or a file-size limit is exhausted."""
    words = ("no space left", "disk quota", "file too large", "disk is full")
    seen: BaseException | None = problem
    while seen is not None:
        if any(word in str(seen).lower() for word in words):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _set_up_dlt() -> None:
    for key, value in _SETTINGS.items():
        os.environ[key] = value


def import_dlt() -> None:
    """Begin to import dlt, which takes long, while something else than Python is at work."""
    _set_up_dlt()

    def run() -> None:
        for name in ("dlt", "dlt.sources.helpers.requests", "pyarrow.parquet"):
            importlib.import_module(name)

    threading.Thread(target=run, daemon=True).start()


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


def _pipeline(env: Environment, source: str) -> Any:
    _set_up_dlt()
    import dlt

    env.dlt_dir.mkdir(parents=True, exist_ok=True)
    env.lake.mkdir(parents=True, exist_ok=True)
    return dlt.pipeline(
        pipeline_name=f"khach_{source}",
        pipelines_dir=str(env.dlt_dir),
        dataset_name=f"raw_{source}",
        destination=dlt.destinations.filesystem(bucket_url=str(env.lake), layout=LAYOUT),
    )


def _resources(source: str, tables: list[TableSpec], files: Mapping[str, Path]) -> Any:
    import dlt
    import pyarrow as pa
    import pyarrow.parquet as pq

    def resource(table: TableSpec) -> Any:
        path = files[table.name]
        # Without the hint dlt would rewrite the file and call its naive timestamps zoned.
        hints: Any = {
            name: {"data_type": "timestamp", "timezone": False}
            for name, letter in table.columns.items()
            if letter == "t"
        }

        def rows() -> Iterator[Any]:
            with pq.ParquetFile(path) as content:
                count = content.metadata.num_rows
                # Its own `empty_table` would import pandas.
                empty = pa.Table.from_batches([], content.schema_arrow)
            yield dlt.mark.with_file_import(str(path), "parquet", count, hints=empty)

        contract: Any = _CONTRACT
        return dlt.resource(
            rows,
            name=table.name,
            columns=hints,
            schema_contract=contract,
            write_disposition="append",
        )

    @dlt.source(name=source)
    def delivered() -> Any:
        return [resource(table) for table in tables]

    return delivered()


def _type_change(problem: BaseException) -> Stopped | None:
    from dlt.common.schema.exceptions import DataValidationError

    seen: BaseException | None = problem
    while seen is not None and not isinstance(seen, DataValidationError):
        seen = seen.__cause__ or seen.__context__
    if seen is None:
        return None
    old, new, *_ = [*re.findall(r"'data_type': '(\w+)'", str(seen)), "its old type", "another"]
    return Stopped(str(seen.table_name), str(seen.column_name), old, new)
