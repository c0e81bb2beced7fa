"""Publishing: a readers' copy of the marts, whole or not at all.

`published/<snapshot_id>/` holds marts.duckdb, one Parquet file per table and snapshot.json; the
link `current` names the newest. A snapshot is built as `<snapshot_id>.partial`, recorded in state
when every byte is on disk, renamed, and only then linked: a kill at any line leaves the old one.
"""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from khach.dbt_manifest import PublicTable, public_tables
from khach.environment import Environment
from khach.errors import GateError, KhachError
from khach.lock import run_lock
from khach.runs import utc_now
from khach.state import connect, open_state

KEPT = 3


def publish(env: Environment, run_id: str, as_of: datetime) -> str:
    """Copy the marts of the warehouse for readers and move the link; the new snapshot's id.

    Raises GateError when a blocking check of this run failed, KhachError when dbt has built no
    mart. The caller holds the run lock.
    """
    is_green = _is_green(env, run_id)
    env.published.mkdir(parents=True, exist_ok=True)
    remove_partial_snapshots(env)
    published_at = utc_now()
    snapshot_id = f"s{published_at:%Y%m%dT%H%M%S%f}"[:-3]
    partial = env.published / f"{snapshot_id}.partial"
    partial.mkdir()
    row_counts = _copy_marts(env, partial)
    naive_as_of = as_of.astimezone(UTC).replace(tzinfo=None) if as_of.tzinfo else as_of
    note = {
        "snapshot_id": snapshot_id,
        "run_id": run_id,
        "as_of": f"{naive_as_of:%Y-%m-%d %H:%M:%S}",
        "published_at": f"{published_at:%Y-%m-%d %H:%M:%S}",
        "rows": row_counts,
    }
    (partial / "snapshot.json").write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    for file in [*partial.iterdir(), partial]:
        _sync_to_disk(file)
    with open_state(env) as state:
        state.execute(
            "insert into snapshots values (?, ?, ?, ?, ?)",
            [snapshot_id, run_id, naive_as_of, published_at, is_green],
        )
    partial.rename(env.published / snapshot_id)
    _sync_to_disk(env.published)
    _point_current_at(env, snapshot_id)
    _remove_old(env)
    return snapshot_id


def rollback(env: Environment) -> str:
    """Move the link to the snapshot before the current one; its id. Nothing is deleted.

    Raises KhachError when there is none to go back to, BusyError while a run goes on.
    """
    with run_lock(env, "khach publish --rollback"):
        present = current_snapshot(env)
        earlier = [name for name in snapshots_on_disk(env) if present and name < present]
        if not earlier:
            raise KhachError("there is no earlier snapshot to go back to", file=env.published)
        _point_current_at(env, earlier[-1])
    return earlier[-1]


def current_snapshot(env: Environment) -> str | None:
    """The id of the snapshot that readers see, or None when nothing usable is published."""
    if not (env.current / "marts.duckdb").exists():
        return None
    return env.current.readlink().name


def snapshots_on_disk(env: Environment) -> list[str]:
    """Ids of whole snapshots, oldest first (ids sort by the time of publication)."""
    if not env.published.is_dir():
        return []
    return sorted(path.parent.name for path in env.published.glob("s*/snapshot.json")
                  if not path.parent.name.endswith(".partial"))  # fmt: skip


def remove_partial_snapshots(env: Environment) -> list[str]:
    """Remove what a killed publish left behind; call it holding the run lock."""
    left = [*env.published.glob("*.partial"), *env.published.glob(".current.*")]
    for path in left:
        if path.is_symlink() or path.is_file():
            path.unlink(missing_ok=True)
        else:
            shutil.rmtree(path)
    return sorted(path.name for path in left)


def _is_green(env: Environment, run_id: str) -> bool:
    """Whether this run's checks ran and none of them blocks."""
    with open_state(env) as state:
        row = state.execute(
            "select count(*), count(*) filter (where not is_success and severity = 'error') "
            "from check_results where run_id = ?",
            [run_id],
        ).fetchone()
    checked, blocking = row or (0, 0)
    if blocking:
        raise GateError(
            f"{blocking} blocking checks of run {run_id} failed; nothing was published",
            fix="khach status names them",
        )
    return bool(checked)


def _copy_marts(env: Environment, folder: Path) -> dict[str, int]:
    with _attached(env, folder / "marts.duckdb") as connection:
        built = {
            str(row[0])
            for row in connection.execute(
                "select table_name from duckdb_tables() where database_name = 'warehouse' "
                "and schema_name = 'main' union select view_name from duckdb_views() "
                "where database_name = 'warehouse' and schema_name = 'main' and not internal"
            ).fetchall()
        }
        tables = [table for table in public_tables(env) if table.name in built]
        if not tables:
            raise KhachError("dbt has built no mart yet; nothing was published", fix="khach run")
        connection.execute("create schema marts.analyst")
        counts = {table.name: _copy_table(connection, table, folder) for table in tables}
        connection.execute("checkpoint marts")
    return counts


@contextmanager
def _attached(env: Environment, target: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse read-only as `warehouse`, the new file as `marts`."""
    if not env.warehouse.exists():
        raise KhachError("there is no warehouse yet; nothing was published", fix="khach run")
    connect(env.warehouse, read_only=True).close()  # waits for a dbt that is just ending
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute("set preserve_insertion_order = false")
        # DuckDB's own default is 80 % of the machine: as profiles.yml has it for dbt.
        memory = os.environ.get("KHACH_DBT_MEMORY", "4GB")
        connection.execute(f"set memory_limit = {_text(memory)}")
        connection.execute(f"attach {_text(env.warehouse)} as warehouse (read_only)")
        connection.execute(f"attach {_text(target)} as marts")
        yield connection


def _copy_table(connection: duckdb.DuckDBPyConnection, table: PublicTable, folder: Path) -> int:
    name = _quote(table.name)
    copied = f"marts.main.{name}"
    connection.begin()  # else each of its comments waits for the disk
    connection.execute(f"create table {copied} as from warehouse.main.{name}")
    present = [str(row[0]) for row in connection.execute(f"describe {copied}").fetchall()]
    _comment(connection, "table", copied, table, present)
    # A column nobody described is not known to be impersonal: analysts do not see it.
    shown = [c for c in present if c in table.columns and c not in table.personal]
    if shown:
        columns = ", ".join(map(_quote, shown))
        connection.execute(f"create view marts.analyst.{name} as select {columns} from main.{name}")
        _comment(connection, "view", f"marts.analyst.{name}", table, shown)
    connection.commit()
    parquet = _text(folder / f"{table.name}.parquet")
    connection.execute(f"copy {copied} to {parquet} (format parquet, compression zstd)")
    row = connection.execute(f"select count(*) from {copied}").fetchone()
    return int(row[0]) if row else 0


def _comment(
    connection: duckdb.DuckDBPyConnection,
    kind: str,
    name: str,
    table: PublicTable,
    columns: Sequence[str],
) -> None:
    """Descriptions go along: BI tools show them beside tables and columns."""
    if table.comment:
        connection.execute(f"comment on {kind} {name} is {_text(table.comment)}")
    for column in columns:
        if description := table.columns.get(column):
            connection.execute(f"comment on column {name}.{_quote(column)} is {_text(description)}")


def _point_current_at(env: Environment, snapshot_id: str) -> None:
    """Replace the link in one step; relative, so that the home can be moved."""
    fresh = env.published / f".current.{os.getpid()}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(snapshot_id)
    fresh.replace(env.current)
    _sync_to_disk(env.published)


def kept_of(snapshot_ids: Sequence[str]) -> set[str]:
    """The newest few of these ids, oldest first, and the last of each of as many days.

    So that a day's hourly snapshots do not push out those of the days before.
    """
    last_of_day = {name[: len("s20260630")]: name for name in snapshot_ids}
    return {*snapshot_ids[-KEPT:], *list(last_of_day.values())[-KEPT:]}


def _remove_old(env: Environment) -> None:
    """Keep what `kept_of` names and the current one. Open readers keep their files."""
    keep = {*kept_of(snapshots_on_disk(env)), current_snapshot(env)}
    for name in snapshots_on_disk(env):
        if name not in keep:
            doomed = env.published / f"{name}.partial"  # a killed removal is a leftover, too
            (env.published / name).rename(doomed)
            shutil.rmtree(doomed)


def _sync_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str | Path) -> str:
    return "'" + str(value).replace("'", "''") + "'"
