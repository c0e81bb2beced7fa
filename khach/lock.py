"""The run lock: one run, publish, rollback, backup or restore at a time in one home."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from khach.environment import Environment
from khach.errors import BusyError
from khach.runs import utc_now

# Locks that this very process holds: nested use passes through, a forked child does not inherit.
_held: set[tuple[int, Path]] = set()


@dataclass(frozen=True)
class Holder:
    """Who holds the lock: process, what for, and since when (naive UTC, ISO text)."""

    pid: int | None
    purpose: str
    since: str

    def __str__(self) -> str:
        return f"{self.purpose} (process {self.pid or 'unknown'}, since {self.since} UTC)"


@contextmanager
def run_lock(env: Environment, purpose: str, *, wait_seconds: float = 0.5) -> Iterator[None]:
    """Hold `$KHACH_HOME/run.lock` for a block; re-entrant within one process.

    The kernel drops the lock when the process dies, so a killed run never blocks the next one.
    Raises BusyError naming pid, purpose and since when, if another process holds it.
    """
    path = env.home / "run.lock"
    mine = (os.getpid(), path)
    if mine in _held:
        yield
        return
    env.home.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _acquire(descriptor, path, wait_seconds)
        note = {"pid": os.getpid(), "purpose": purpose, "since": f"{utc_now():%Y-%m-%d %H:%M:%S}"}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(note).encode(), 0)
        _held.add(mine)
        try:
            yield
        finally:
            _held.discard(mine)
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def lock_holder(env: Environment) -> Holder | None:
    """The process that holds the run lock now, or None when nobody does."""
    path = env.home / "run.lock"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(path)
    finally:
        os.close(descriptor)
    return None


def _acquire(descriptor: int, path: Path, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise BusyError(
                    f"the run lock is held by {_read_holder(path)}",
                    file=path,
                    fix="wait for it to end, or stop that process; nothing was changed",
                ) from None
            time.sleep(0.05)
        else:
            return


def _read_holder(path: Path) -> Holder:
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        return Holder(int(note["pid"]), str(note["purpose"]), str(note["since"]))
    except (OSError, ValueError, KeyError):
        return Holder(None, "another khach process", "an unknown time")
