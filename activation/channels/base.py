"""What a channel promises, and the shapes that pass between it and the rest of activation.

A new channel (docs/new-channel.md) is one module with one subclass of `Channel`, one line in the
registry and one test.
It declares what it can do and overrides the methods of what it declared; planning, permission,
batches, halving, intents, receipts and recovery are not its business.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, TypeVar

from activation.channels.capabilities import Capabilities
from activation.channels.variables import require_variable
from activation.consent import PermittedRow, WithdrawalRow
from activation.policy import PolicyFile
from khach.environment import Environment

Row = TypeVar("Row", PermittedRow, WithdrawalRow)


@dataclass(frozen=True)
class Outcome:
    """What the channel said about one row; `message` already has identifiers masked.

    acknowledged: done (a membership), taken over (a message). submitted: taken, the answer comes
    later under `handle`. rejected: refused, in the channel's words. dropped: left so, on purpose.
    deferred: not now, by our own rules. unanswered: certainly not done, try again. unknown: may
    have been done, nobody can tell.
    delivered, failed: what became of a message, by `poll` only.
    `handle` is the channel's own id, where it gives one, and stored: no identifier in it. With
    submitted it is what `poll` will be asked for (rows may share one); with acknowledged, also from
    `poll`, it is the member's or message's own, by which the row is removed later.
    """

    status: Literal[
        "acknowledged", "submitted", "rejected", "dropped", "deferred", "unanswered", "unknown",
        "delivered", "failed",
    ]  # fmt: skip
    code: str | None = None
    message: str | None = None
    handle: str | None = None


@dataclass(frozen=True)
class Mistake:
    """What is wrong in a sync: `place` is the path of the key within it."""

    message: str
    place: tuple[str, ...] = ()
    fix: str | None = None


@dataclass(frozen=True)
class RemoteMember:
    """A member as the channel holds it now; `is_member`: in this very list and tag."""

    is_held: bool
    is_member: bool
    is_reachable: bool


@dataclass(frozen=True)
class Match:
    """How many people a platform found, at least and at most; `sent`: of so many rows, where its
    answer is about other rows than the whole list.
    """

    at_least: int
    at_most: int
    sent: int | None = None


@dataclass(frozen=True)
class Batch(Generic[Row]):
    """Rows that go out together. `batch_id` names them durably: the same rows, the same id.

    `known` are the row ids of members that the channel acknowledged before: for it an `upsert` of
    theirs is an update, of the others an addition. Only channels that must say which need it.
    """

    batch_id: str
    plan_id: str
    sync_id: str
    rows: Sequence[Row]
    known: frozenset[str] = frozenset()


class BatchRejectedError(Exception):
    """The channel refused a whole batch: nothing of it took effect, or repeating it is harmless.

    The second only where `is_idempotent`: some platforms take the good rows and do not say which.
    The caller halves it until the bad row stands alone; `outcome` is then that row's.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"a batch was rejected: {code}")
        self.outcome = Outcome("rejected", code, message)


class Channel:
    """One destination. Answers come row by row, in the order of the rows given.

    No method raises for a single row: an `Outcome` says it. Raised are
    ConfigError: key, list or template are wrong; said wherever it shows.
    BusyError: the platform gave no answer. From `upsert`, `remove` and `suppress` it speaks of the
    whole batch, which the next run settles; from `send` only where `is_idempotent`, since the batch
    is then repeated. A `send` that is not idempotent says `unknown` or `unanswered` row by row.
    BatchRejectedError: from `upsert`, `remove`, `suppress` and `send`; see there.

    A row that leaves is known by `remote_id`: the handle that its acknowledgement came with, else
    what `remote_id_sql` gave. Its `identifier` is there unless the person is gone from the marts;
    `read_back` gets none.
    """

    capabilities: ClassVar[Capabilities]

    def __init__(self, env: Environment, remote: Mapping[str, str]) -> None:
        """`remote`: the sync's, variables replaced by their values."""
        raise NotImplementedError

    @classmethod
    def mistake(
        cls, remote: Mapping[str, str], fields: Mapping[str, str], purpose: str, policy: PolicyFile
    ) -> Mistake | None:
        """The first mistake of a sync that no declaration can tell, found before anything runs.

        `remote` and `fields` as the audience file has them: variables by name, texts with braces.
        """
        del remote, fields, purpose, policy
        return None

    def prepare(self, fields: Sequence[str]) -> None:
        """Make sure the destination exists and knows the fields; ConfigError when it cannot."""

    def upsert(self, batch: Batch[PermittedRow]) -> list[Outcome]:
        """Add or update members; repeating changes nothing more."""
        raise NotImplementedError

    def remove(self, batch: Batch[WithdrawalRow]) -> list[Outcome]:
        """End the membership of members that we added; they stay contacts of the platform."""
        raise NotImplementedError

    def suppress(self, batch: Batch[WithdrawalRow]) -> list[Outcome]:
        """Stop all sends; outcome codes: unsubscribed, already, not_held."""
        raise NotImplementedError

    def send(self, batch: Batch[PermittedRow]) -> list[Outcome]:
        """Send one message to each; where it may have gone out and nobody knows: unknown."""
        raise NotImplementedError

    def poll(self, handles: Sequence[str]) -> list[Outcome]:
        """What became of submitted rows and messages by now; submitted: nothing yet."""
        raise NotImplementedError

    def matched(self) -> Match | None:
        """How many people the platform found for what it has; None where it does not tell (yet).

        It is asked after a delivery and after a `poll`; BusyError from a silent platform.
        """
        return None

    def read_back(self, rows: Sequence[WithdrawalRow]) -> list[RemoteMember]:
        """What the channel holds now, for settling an interrupted batch."""
        raise NotImplementedError

    def members(self) -> Iterator[str]:
        """`remote_id` of everyone in this very list now, for `khach reconcile`."""
        raise NotImplementedError

    def replace(
        self, rows: Sequence[PermittedRow], fields: Sequence[str], sync_id: str, plan_id: str
    ) -> Outcome | None:
        """Put the new list in the place of the old one, at once or not at all.

        None: it stands there. An outcome holds for every row, e.g. submitted with a handle.
        """
        raise NotImplementedError

    def holds(self, sync_id: str, plan_id: str) -> bool:
        """Whether the list that stands there now is that plan's, complete."""
        raise NotImplementedError


def require_permitted(batch: Batch[PermittedRow]) -> None:
    """TypeError unless every row was built from a consent; channels ask before they send."""
    if not all(isinstance(row, PermittedRow) for row in batch.rows):
        raise TypeError("only a PermittedRow may be added, updated or sent a message")


def resolve_remote(
    capabilities: Capabilities, remote: Mapping[str, str], sync_id: str
) -> dict[str, str]:
    """The remote with variables replaced by their values, read late.

    Raises ConfigError naming the variable that is not set.
    """
    values = {}
    for key, value in remote.items():
        if capabilities.remote[key] == "variable":
            values[key] = require_variable(value, f"sync {sync_id}")
        else:
            values[key] = value
    return values
