"""What a simulated platform stands on: an SQLite file of its own, and the retailer's time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path


def connect(database: Path) -> sqlite3.Connection:
    """A connection of its own for the caller; rows are `sqlite3.Row`, transactions explicit."""
    connection = sqlite3.connect(database, timeout=60, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("pragma synchronous = normal")
    return connection


def prepare(database: Path, schema: str) -> None:
    """Create the folder, and by the script `schema` the tables, where they are missing."""
    database.parent.mkdir(parents=True, exist_ok=True)
    with closing(connect(database)) as connection:
        # Write-ahead log: readers never wait for a writer, and a killed process loses no commit.
        connection.execute("pragma journal_mode = wal")
        connection.executescript(schema)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; takes the write lock at once, so that a read inside it stays true."""
    connection.execute("begin immediate")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def simulated_now(root: Path) -> datetime:
    """The retailer's own time (`clock.json`), or the wall clock where no retailer is simulated."""
    clock = root / "clock.json"
    if not clock.exists():
        return datetime.now(UTC)
    now = json.loads(clock.read_text(encoding="utf-8"))["now"]
    return datetime.fromisoformat(now.replace("Z", "+00:00"))
