"""Two applies of one sync cannot run at once: a lease in state with an owner and an expiry."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
import psutil

from khach.environment import Environment
from khach.errors import BusyError
from khach.runs import utc_now
from khach.state import open_state

LENGTH = timedelta(minutes=10)


@dataclass(frozen=True)
class Lease:
    """A held lease; renew it in the transaction before each batch."""

    sync_id: str
    owner: str

    def renew(self, state: duckdb.DuckDBPyConnection) -> None:
        """Extend; BusyError when it expired and another process took it."""
        renewed = state.execute(
            "update leases set expires_at = ? where sync_id = ? and owner = ? returning sync_id",
            [utc_now() + LENGTH, self.sync_id, self.owner],
        ).fetchall()
        if not renewed:
            raise BusyError(f"the lease of sync {self.sync_id} was taken over", fix="plan again")


@contextmanager
def hold_lease(env: Environment, sync_id: str) -> Iterator[Lease]:
    """Take the lease of a sync for a block.

    A lease whose owner was a process of this machine is taken over when that no longer runs, at
    once, and never before, however long one batch of it takes; one of another machine when it has
    expired. Raises BusyError naming the holder.
    """
    lease = Lease(sync_id, _own_name())
    with open_state(env) as state:
        row = state.execute(
            "select owner, expires_at from leases where sync_id = ?", [sync_id]
        ).fetchone()
        if row and _is_held(str(row[0]), row[1]):
            raise BusyError(
                f"sync {sync_id} is being applied by {row[0]} (lease until {row[1]:%H:%M:%S} UTC)",
                fix="wait for it to end",
            )
        now = utc_now()
        state.execute(
            "insert or replace into leases values (?, ?, ?, ?)",
            [sync_id, lease.owner, now, now + LENGTH],
        )
    try:
        yield lease
    finally:
        with open_state(env) as state:
            state.execute(
                "delete from leases where sync_id = ? and owner = ?", [sync_id, lease.owner]
            )


def _own_name() -> str:
    """Host, process id and the process's start: a reused id is another owner."""
    return f"{socket.gethostname()}/{os.getpid()}/{psutil.Process().create_time():.2f}"


def _is_held(owner: str, expires_at: datetime) -> bool:
    host, pid, started = owner.rsplit("/", 2)
    if host != socket.gethostname():
        return expires_at > utc_now()
    try:
        process = psutil.Process(int(pid))
        is_same = f"{process.create_time():.2f}" == started
    except psutil.NoSuchProcess:
        return False
    return is_same and process.status() != psutil.STATUS_ZOMBIE
