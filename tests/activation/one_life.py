"""A process that dies where it is told to: state behind one connection per life, marts in memory.

Stands in for `open_state` and `open_marts` in every module of activation. A life ends at a
commit, at a write of its own, or at a boundary that a channel names; what was not committed is
gone, nothing more can be written, and the next life opens the file again.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

import activation
from activation.snapshot import Snapshot
from khach.state import migrate

_WRITES = ("insert", "update", "delete")


class Killed(BaseException):
    """The process is dead; no code of ours may catch this."""


class Lives:
    """The state file of one history and how long the present life still lasts."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.number = 0
        self._left: int | None = None
        self._is_dead = False
        self._connection: duckdb.DuckDBPyConnection | None = None
        self.snapshot: Snapshot | None = None
        self.tables: Mapping[str, pa.Table] = {}

    def die_after(self, boundaries: int | None) -> None:
        """None: live on."""
        self._left = boundaries

    def boundary(self) -> None:
        """A point at which the process may die."""
        if self._is_dead:
            raise Killed
        if self._left is None:
            return
        if self._left == 0:
            self.end()
            raise Killed
        self._left -= 1

    def end(self) -> None:
        """The process is gone: what it did not commit is gone, too."""
        self._is_dead = True
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def begin(self) -> None:
        """A new process over the same file, opened anew where the last one died."""
        self._is_dead, self._left = False, None
        self.number += 1

    @contextmanager
    def open_state(self, *_: Any, **__: Any) -> Iterator[Any]:
        if self._is_dead:
            raise Killed
        if self._connection is None:
            self._connection = duckdb.connect(str(self.file), config={"threads": 1})
            self._connection.execute("set timezone = 'UTC'")
            self._connection.execute("pragma disable_optimizer")
        guarded = _Guarded(self, self._connection)
        try:
            yield guarded
        finally:
            if guarded.is_open and self._connection is not None:
                self._connection.execute("rollback")

    @contextmanager
    def open_marts(self, _: Snapshot) -> Iterator[duckdb.DuckDBPyConnection]:
        connection = _memory().cursor()
        # Eight people need no optimiser: planning is what costs here.
        connection.execute("pragma disable_optimizer")
        try:
            for name, table in self.tables.items():
                connection.register(name, table)
            yield connection
        finally:
            connection.close()

    def current_snapshot(self, *_: Any) -> Snapshot:
        assert self.snapshot is not None
        return self.snapshot

    def own_name(self) -> str:
        """Never that of a running process: who died is replaced at once."""
        import socket

        return f"{socket.gethostname()}/1/{self.number}.5"


class _Guarded:
    """A connection on which each commit is a boundary."""

    def __init__(self, lives: Lives, connection: duckdb.DuckDBPyConnection) -> None:
        self._lives = lives
        self._connection = connection
        self.is_open = False

    def execute(self, sql: str, *values: Any) -> duckdb.DuckDBPyConnection:
        word = sql.split(None, 1)[0].lower()
        is_commit = word == "commit" or (word in _WRITES and not self.is_open)
        if is_commit:
            self._lives.boundary()
        done = self._connection.execute(sql, *values)
        if word == "begin":
            self.is_open = True
        elif word == "commit":
            self.is_open = False
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


_shared: list[duckdb.DuckDBPyConnection] = []


def _memory() -> duckdb.DuckDBPyConnection:
    if not _shared:
        _shared.append(duckdb.connect(config={"threads": 1}))
        _shared[0].execute("set global timezone = 'UTC'")
    return _shared[0]


def empty_state(folder: Path) -> Path:
    """A migrated state file to copy from."""
    file = folder / "empty.duckdb"
    with duckdb.connect(str(file)) as connection:
        migrate(connection)
    return file


def copy_of(template: Path, file: Path) -> Lives:
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(template, file)
    return Lives(file)


def stand_in(patch: pytest.MonkeyPatch, lives: Callable[[], Lives]) -> None:
    """Let every module of activation see the present life's state and marts."""
    import sys

    for name, module in list(sys.modules.items()):
        if name.startswith(f"{activation.__name__}."):
            for function in ("open_state", "open_marts", "current_snapshot"):
                if hasattr(module, function):
                    patch.setattr(module, function, _asking(lives, function))
    patch.setattr("activation.leases._own_name", lambda: lives().own_name())


def _asking(lives: Callable[[], Lives], function: str) -> Callable[..., Any]:
    def ask(*given: Any, **named: Any) -> Any:
        return getattr(lives(), function)(*given, **named)

    return ask
