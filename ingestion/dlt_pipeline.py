"""dlt's filesystem destination: how a load is written into the lake, Parquet, append-only.

dlt moves files that lie ready and commits; a load that it did not commit never happened.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ingestion import lake
from ingestion.contract import Stopped
from ingestion.manifest import load_of
from khach.errors import KhachError

if TYPE_CHECKING:
    from pathlib import Path

    from ingestion.refusals import NotRead
    from ingestion.spec import Extract, TableSpec
    from khach.environment import Environment

LAYOUT = "{table_name}/{load_id}.{file_id}.{ext}"
# dlt reads these late; the working folder must not grow, and the Parquet must not be rewritten.
_SETTINGS = {
    "LOAD__DELETE_COMPLETED_JOBS": "true",
    "LOAD__WORKERS": "2",
    "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "false",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
}
_CONTRACT = {"tables": "evolve", "columns": "evolve", "data_type": "freeze"}


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
    committed = {load.load_id for load in lake.committed_loads(env, source)}
    for path in lake.raw_folder(env, source).glob("*/*.parquet"):
        if load_of(path) not in committed:
            path.unlink()


def land(
    env: Environment,
    source: str,
    tables: list[TableSpec],
    extract: Extract,
    staging: Path,
    *,
    stopped: list[NotRead] | None = None,
) -> str:
    """Land one load and commit it; returns its id.

    Every table lands, with zero rows when nothing was delivered for it. A table of which a column
    would change its type is left out and added to `stopped`; KhachError without such a list, or
    when no table is left.
    """
    files = lake.write_tables(tables, extract, staging)
    try:
        info = _pipeline(env, source).run(_resources(source, files))
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


def _pipeline(env: Environment, source: str) -> Any:
    _set_up_dlt()
    import dlt

    # Nobody else loads into this lake: what it says of the schema need be asked only where the
    # working folder or the lake is new. Asking takes longer the more loads there are.
    here = env.dlt_dir / f"khach_{source}" / "schemas" / f"{source}.schema.json"
    there = lake.raw_folder(env, source) / "_dlt_pipeline_state"
    is_known = here.exists() and there.exists()
    env.dlt_dir.mkdir(parents=True, exist_ok=True)
    env.lake.mkdir(parents=True, exist_ok=True)
    pipeline = dlt.pipeline(
        pipeline_name=f"khach_{source}",
        pipelines_dir=str(env.dlt_dir),
        dataset_name=f"raw_{source}",
        destination=dlt.destinations.filesystem(bucket_url=str(env.lake), layout=LAYOUT),
    )
    pipeline.config.restore_from_destination = not is_known
    return pipeline


def _resources(source: str, files: list[tuple[TableSpec, Path]]) -> Any:
    import dlt
    import pyarrow as pa
    import pyarrow.parquet as pq

    def resource(table: TableSpec, path: Path) -> Any:
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
        return [resource(table, path) for table, path in files]

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
