"""The published snapshot that every plan reads, opened read-only beside an empty memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from khach import publishing
from khach.environment import Environment
from khach.errors import KhachError


@dataclass(frozen=True)
class Snapshot:
    """A published snapshot as the journal in state knows it; `as_of` is naive UTC."""

    snapshot_id: str
    as_of: datetime
    is_green: bool
    path: Path


def current_snapshot(env: Environment, state: duckdb.DuckDBPyConnection) -> Snapshot:
    """The snapshot behind the link `current`; KhachError when nothing is published."""
    snapshot_id = publishing.current_snapshot(env)
    if snapshot_id is None:
        raise KhachError("nothing is published yet", fix="khach run builds and publishes the marts")
    row = state.execute(
        "select as_of, is_green from snapshots where snapshot_id = ?", [snapshot_id]
    ).fetchone()
    if row is None:
        raise KhachError(
            f"snapshot {snapshot_id} is published but not in the journal of snapshots",
            fix="khach run publishes a new one",
        )
    path = env.published / snapshot_id / "marts.duckdb"
    return Snapshot(snapshot_id, row[0], bool(row[1]), path)


@contextmanager
def open_marts(snapshot: Snapshot) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in memory that sees the marts by their bare names and cannot change them."""
    connection = duckdb.connect()
    try:
        connection.execute("set timezone = 'UTC'")
        path = str(snapshot.path).replace("'", "''")
        connection.execute(f"attach '{path}' as marts (read_only)")
        connection.execute("set search_path = 'memory.main,marts.main'")
        yield connection
    finally:
        connection.close()
