"""Platforms that fail in every way the contract of `Channel` knows, with a truth of their own.

A platform knows nothing of our state: its members, its deliveries and every request it saw. What
goes wrong next is given to it (`faults`); `boundary` is called wherever our process may die.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from activation.channels.base import (
    Batch,
    BatchRejectedError,
    Channel,
    Outcome,
    RemoteMember,
    require_permitted,
)
from activation.channels.capabilities import Capabilities
from khach.environment import Environment
from khach.errors import BusyError, ConfigError

# What a platform may do to one call; anything else it does well.
FAULTS = (
    "silent",  # 429 or 5xx to the end of all patience: nothing was done
    "half silent",  # the same from the middle of the batch on
    "lost",  # done, and then the connection dropped
    "half lost",  # half of it done, and then the connection dropped
    "lost before",  # the connection dropped before anything was done
    "twice",  # the network delivers the request twice
    "partial",  # 207, or 200 with errors: every second row is refused this time
    "key refused",  # 401
)


@dataclass
class Member:
    """A member of the remote list; `is_ours`: our request made it one."""

    customer_id: str
    identifier: str
    fields: dict[str, str]
    is_ours: bool = True


@dataclass(frozen=True)
class Delivery:
    """A message that reached a person, or may have."""

    customer_id: str
    identifier: str
    row_id: str
    batch_id: str
    text: str
    at: datetime
    is_certain: bool = True


@dataclass
class Platform:
    """The truth: what a platform holds, delivered and was asked."""

    boundary: Callable[[], None] = lambda: None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    judge: Callable[[str, Any, str], None] = lambda _action, _row, _batch: None
    faults: deque[str] = field(default_factory=deque)
    members: dict[str, Member] = field(default_factory=dict)
    handles: dict[str, str] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    undelivered: list[Delivery] = field(default_factory=list)
    unsubscribed: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    batches: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    jobs: dict[str, tuple[str, Any]] = field(default_factory=dict)
    finished: dict[str, Outcome] = field(default_factory=dict)
    drifted: set[str] = field(default_factory=set)
    has_stranger: bool = False
    removals_asked: int = 0
    file_of: str | None = None

    def finish_jobs(self, fate: str = "delivered") -> None:
        """What was taken over is done now, in the order it came."""
        for handle, (action, row) in list(self.jobs.items()):
            self.finished[handle] = self.do(action, row)
            if action == "message" and fate == "failed":
                self.finished[handle] = Outcome("failed", "undeliverable")
                self.undelivered += [d for d in self.deliveries if d.row_id == row[1].row_id]
                self.deliveries = [d for d in self.deliveries if d.row_id != row[1].row_id]
            del self.jobs[handle]

    def do(self, action: str, row: Any) -> Outcome:
        """One row takes effect, or is refused for good."""
        if action == "remove":
            key = self.handles.get(row.remote_id, row.remote_id)
            self.members.pop(key, None)
            self.drifted.discard(key)
            return Outcome("acknowledged")
        if action == "message":
            return Outcome("delivered")
        if row.identifier in self.refused:
            return Outcome("rejected", "invalid_member", "in the platform's own words")
        return self.put(row)

    def put(self, row: Any) -> Outcome:
        """Create or overwrite a member."""
        key = self.handles.get(row.remote_id, row.remote_id)
        if key in self.unsubscribed:
            return Outcome("dropped", "unsubscribed")
        customer_id = row.consent.customer_id
        self.members[key] = Member(customer_id, row.identifier, dict(row.fields))
        self.drifted.discard(key)
        return Outcome("acknowledged")


class FaultyChannel(Channel):
    """One connection to the platform of this test."""

    platform: ClassVar[Platform]
    gives_handles: ClassVar[bool] = False
    refuses_batches: ClassVar[bool] = False

    def __init__(self, env: Environment, remote: Mapping[str, str]) -> None:
        del env, remote

    def upsert(self, batch: Batch[Any]) -> list[Outcome]:
        require_permitted(batch)
        return self._act("upsert", batch)

    def remove(self, batch: Batch[Any]) -> list[Outcome]:
        self.platform.removals_asked += len(batch.rows)
        return self._act("remove", batch)

    def send(self, batch: Batch[Any]) -> list[Outcome]:
        require_permitted(batch)
        here = self.platform
        same = tuple((row.row_id, row.identifier, tuple(row.fields.items())) for row in batch.rows)
        if self.capabilities.is_idempotent:
            assert here.batches.setdefault(batch.batch_id, same) == same, "another batch, same id"
        return self._act("message", batch)

    def suppress(self, batch: Batch[Any]) -> list[Outcome]:
        return self._act("suppress", batch)

    def read_back(self, rows: Sequence[Any]) -> list[RemoteMember]:
        here = self.platform
        here.boundary()
        if here.faults and here.faults.popleft() in ("silent", "lost"):
            raise BusyError("no answer")
        keys = [here.handles.get(row.remote_id, row.remote_id) for row in rows]
        there = [key in here.members for key in keys]
        return [
            RemoteMember(is_there, is_there, key not in here.unsubscribed)
            for key, is_there in zip(keys, there, strict=True)
        ]

    def members(self) -> Iterator[str]:
        yield from self.platform.members

    def poll(self, handles: Sequence[str]) -> list[Outcome]:
        here = self.platform
        here.boundary()
        if here.faults and here.faults.popleft() in ("silent", "lost"):
            return [Outcome("unanswered") for _ in handles]
        return [here.finished.get(handle, Outcome("submitted")) for handle in handles]

    def replace(
        self, rows: Sequence[Any], fields: Sequence[str], sync_id: str, plan_id: str
    ) -> None:
        del fields, sync_id
        here = self.platform
        here.boundary()
        if here.faults and here.faults.popleft() == "silent":
            raise BusyError("the folder cannot be reached")
        for row in rows:
            here.judge("upsert", row, plan_id)
        here.members = {
            row.identifier: Member(row.consent.customer_id, row.identifier, dict(row.fields))
            for row in rows
        }
        here.file_of = None
        here.boundary()  # the list stands there, its manifest does not
        here.file_of = plan_id
        here.boundary()

    def holds(self, sync_id: str, plan_id: str) -> bool:
        del sync_id
        return self.platform.file_of == plan_id

    def _act(self, action: str, batch: Batch[Any]) -> list[Outcome]:
        here = self.platform
        here.boundary()
        fault = here.faults.popleft() if here.faults else "none"
        for row in batch.rows:
            here.judge(action, row, batch.batch_id)
        if fault == "key refused":
            raise ConfigError("the platform refuses the key")
        if fault in ("silent", "lost before"):
            if action == "message" and fault == "lost before":
                return [self._maybe(row, batch) for row in batch.rows]
            return [Outcome("unanswered", "no_answer") for _ in batch.rows]
        if self.refuses_batches and any(self._is_bad(action, row) for row in batch.rows):
            raise BatchRejectedError("400", "a row is not valid")
        outcomes = [self._one(action, batch, n, fault) for n in range(len(batch.rows))]
        if fault == "twice" and (action != "message" or self.capabilities.is_idempotent):
            outcomes = [self._one(action, batch, n, "none") for n in range(len(batch.rows))]
        here.boundary()
        return outcomes

    def _one(self, action: str, batch: Batch[Any], number: int, fault: str) -> Outcome:
        row, here = batch.rows[number], self.platform
        is_second_half = number >= len(batch.rows) / 2
        if fault == "half silent" and is_second_half:
            return Outcome("unanswered", "no_answer")
        if fault == "half lost" and is_second_half:
            return self._lost(action, row, batch)
        # Who lets a batch be repeated answers for what it has done as it did then.
        is_done = (
            action == "message" and self.capabilities.is_idempotent and self._known(row, batch)
        )
        if fault == "partial" and number % 2 and not is_done:
            return Outcome("rejected", "207", "not this time")
        done = self._message(row, batch) if action == "message" else self._member(action, row)
        here.boundary()  # the process dies while the platform is in the middle of the batch
        return self._lost(action, row, batch) if fault in ("lost", "half lost") else done

    def _lost(self, action: str, row: Any, batch: Batch[Any]) -> Outcome:
        if action == "message":
            return self._maybe(row, batch)
        return Outcome("unanswered", "no_answer")

    def _maybe(self, row: Any, batch: Batch[Any]) -> Outcome:
        """Nobody can tell: it counts as sent."""
        self._deliver(row, batch, is_certain=False)
        return Outcome("unknown", "no_answer")

    def _message(self, row: Any, batch: Batch[Any]) -> Outcome:
        here = self.platform
        if self._is_bad("message", row):
            return Outcome("rejected", "21211", "not a number")
        self._deliver(row, batch, is_certain=True)
        if not self.capabilities.is_polled:
            return Outcome("acknowledged")
        handle = f"m-{batch.batch_id}-{row.row_id}"
        if handle not in here.finished:
            here.jobs[handle] = ("message", (batch, row))
        return Outcome("acknowledged", handle=handle)

    def _deliver(self, row: Any, batch: Batch[Any], *, is_certain: bool) -> None:
        here = self.platform
        if self.capabilities.is_idempotent and self._known(row, batch):
            return
        text = str(dict(row.fields).get("body", ""))
        at, customer_id = here.now(), row.consent.customer_id
        here.deliveries.append(
            Delivery(customer_id, row.identifier, row.row_id, batch.batch_id, text, at, is_certain)
        )

    def _known(self, row: Any, batch: Batch[Any]) -> bool:
        sent = {(d.batch_id, d.row_id) for d in self.platform.deliveries}
        return (batch.batch_id, row.row_id) in sent

    def _member(self, action: str, row: Any) -> Outcome:
        here = self.platform
        if action == "suppress":
            return self._suppress(row)
        if self.capabilities.is_polled:
            handle = f"j{len(here.jobs) + len(here.finished)}"
            here.jobs[handle] = (action, row)
            return Outcome("submitted", handle=handle)
        done = here.do(action, row)
        if self.gives_handles and action == "upsert" and done.status == "acknowledged":
            key = here.handles.get(row.remote_id, row.remote_id)
            handle = f"h-{key}"
            here.handles[handle] = key
            return replace(done, handle=handle)
        return done

    def _suppress(self, row: Any) -> Outcome:
        here = self.platform
        key = here.handles.get(row.remote_id, row.remote_id)
        if key not in here.members:
            return Outcome("acknowledged", "not_held")
        is_new = key not in here.unsubscribed
        here.unsubscribed.add(key)
        return Outcome("acknowledged", "unsubscribed" if is_new else "already")

    def _is_bad(self, action: str, row: Any) -> bool:
        return action != "remove" and row.identifier in self.platform.refused


def a_channel(name: str, *, handles: bool = False, batches: bool = False, **able: Any) -> type:
    """A kind of faulty channel with its own platform still to be given."""
    capabilities = Capabilities(
        consent_channel=None,
        remote={},
        field_name=re.compile("[a-z]+"),
        batch_size=4,
        **({"remote_id_sql": "identifier_hash"} | able),
    )
    attributes = {"capabilities": capabilities, "gives_handles": handles}
    return type(name, (FaultyChannel,), attributes | {"refuses_batches": batches})


_MESSAGE = frozenset({"message"})
_BY_CUSTOMER = "customer_id"
VARIANTS: dict[str, type[FaultyChannel]] = {
    "readable": a_channel("Readable", can_read_back=True, can_suppress=True),
    "blind": a_channel("Blind", batches=True, can_suppress=True),
    "blind_by_customer": a_channel(
        "BlindByCustomer", remote_id_sql=_BY_CUSTOMER, can_suppress=True
    ),
    "by_customer": a_channel(
        "ByCustomer", remote_id_sql=_BY_CUSTOMER, can_read_back=True, handles=True
    ),
    "jobs": a_channel("Jobs", is_polled=True),
    "jobs_by_customer": a_channel("JobsByCustomer", is_polled=True, remote_id_sql=_BY_CUSTOMER),
    "file": a_channel("File", is_whole_file=True, modes=frozenset({"mirror"})),
    "idempotent": a_channel("Idempotent", batches=True, is_idempotent=True, kinds=_MESSAGE),
    "careless": a_channel("Careless", batches=True, kinds=_MESSAGE),
    "reporting": a_channel("Reporting", is_idempotent=True, is_polled=True, kinds=_MESSAGE),
}
