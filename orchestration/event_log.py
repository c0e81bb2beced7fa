"""Dagster's storage, with the files of its event log kept open.

As shipped, every event opens a SQLite file and closes it again, which waits for the disk two times
and more; a run has some two thousand events, and dbt's steps waited for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
)
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from sqlalchemy import create_engine, event

if TYPE_CHECKING:
    from dagster._serdes import ConfigurableClassData
    from sqlalchemy import Connection, Engine


class OpenEventLog(SqliteEventLogStorage):
    """One connection for the index and one for the run last looked at.

    Of a killed process nothing is lost, the file is whole after a power cut too: then only the last
    events may be missing (write-ahead log, `synchronous = normal`).
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._opened: dict[str, Engine] = {}
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock, self._engine(shard).begin() as connection:
            yield connection

    def _engine(self, shard: str) -> Engine:
        if shard not in self._opened:
            if shard != INDEX_SHARD_NAME:
                self._close(set(self._opened) - {INDEX_SHARD_NAME})
            engine = create_engine(
                self.conn_string_for_shard(shard),
                pool_size=1,
                max_overflow=4,  # setting the file up takes a second one
                connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
            )
            event.listen(engine, "connect", _wait_for_no_disk)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            self._opened[shard] = engine
        return self._opened[shard]

    def _close(self, shards: set[str]) -> None:
        for shard in shards:
            self._opened.pop(shard).dispose()

    def wipe(self) -> None:
        """Delete everything."""
        self._close(set(self._opened))
        super().wipe()

    def dispose(self) -> None:
        """Close the files."""
        self._close(set(self._opened))
        super().dispose()


class OpenStorage(DagsterSqliteStorage):
    """Dagster's own SQLite storage, in the same files, with `OpenEventLog`."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = OpenEventLog(self._event_log_storage._base_dir)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> OpenStorage:
        """As dagster.yaml names it."""
        return cls.from_local(inst_data=inst_data, **config_value)


def _wait_for_no_disk(connection: Any, _record: object) -> None:
    connection.execute("pragma synchronous = normal")
