"""What holds a plan until a person has looked: limits, freshness, gates, the first run."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pyarrow.compute as pc

from activation.audience_file import Guards
from activation.ledger import Inputs
from activation.snapshot import Snapshot

_WORDS = {
    "max_removal_share": "{actual:.0%} of the members would be removed, at most {limit:.0%} may",
    "max_removals": "{actual:,} members would be removed, at most {limit:,} may",
    "min_size": "the audience would have {actual:,} members, at least {limit:,} are expected",
    "max_size": "the audience would have {actual:,} members, at most {limit:,} may",
    "max_change_share": "the size moves by {actual:.0%} since the last plan, at most {limit:.0%}",
    "stale_input": "the snapshot is {actual:,.1f} hours old, at most {limit:,.1f} may pass",
    "changed_remote": "`remote` names another list than the one that {actual:,} members of this "
    "sync are in: nobody would leave the old one any more, withdrawals included (put the old "
    "remote back, or empty that list yourself before you release this)",
    "gates": "the gates are not green for the snapshot that would be read",
    "first_run": "the first plan of a sync waits for a person",
}
_RESTORED = (
    "the state was put back from an older copy: what has been sent since is not known "
    "(khach reconcile shows what a list really holds; messages could go out twice)"
)
_OLDER = (
    "readers were put back to marts older than those that a sync has acted on: who withdrew "
    "consent since is not in them (khach run publishes new ones)"
)
GUARDS = tuple(_WORDS)


@dataclass(frozen=True)
class Tripped:
    """A guard that holds a plan, with the limit and the figure that broke it."""

    guard: str
    limit: float | None = None
    actual: float | None = None
    is_rollback: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For `--json` and for the stored plan."""
        return asdict(self)

    def text(self) -> str:
        """One line for people, naming the guard."""
        words = _WORDS[self.guard]
        if self.guard == "stale_input" and self.actual is None:
            words = _OLDER if self.is_rollback else _RESTORED
        return f"{self.guard}: " + words.format(limit=self.limit, actual=self.actual)


def tripped_guards(
    guards: Guards,
    *,
    counts: dict[str, int],
    withdrawn: int,
    inputs: Inputs,
    snapshot: Snapshot,
    destination: str | None,
    now: datetime,
    is_sandbox: bool,
    least_rows: int = 0,
) -> list[Tripped]:
    """Every guard that a plan of these counts trips. `now` is naive UTC.

    `least_rows` is what the channel takes at least; `withdrawn` those of the rows to remove that
    took their consent back, of which there can be any number; `destination` names the
    list, of messages it is None.

    A plan that changes nothing trips none of the limits on size: an audience that was empty may
    stay empty, but a full one is never emptied by an empty or partial source.
    """
    size = counts["add"] + counts["update"] + counts["message"] + counts["unchanged"]
    held, removed = _members(inputs), counts["remove"] - withdrawn
    changes = counts["add"] + counts["update"] + counts["message"] + counts["remove"]
    least = max(guards.min_size, least_rows)
    found = []
    if held and removed / held > guards.max_removal_share:
        found.append(Tripped("max_removal_share", guards.max_removal_share, removed / held))
    if removed > guards.max_removals:
        found.append(Tripped("max_removals", guards.max_removals, removed))
    if changes and (size + withdrawn < guards.min_size or size < least_rows):
        found.append(Tripped("min_size", least, size))
    if size > guards.max_size:
        found.append(Tripped("max_size", guards.max_size, size))
    if inputs.last_size:
        share = abs(size + withdrawn - inputs.last_size) / inputs.last_size
        if share > guards.max_change_share:
            found.append(Tripped("max_change_share", guards.max_change_share, share))
    if stale := stale_input(guards, inputs=inputs, snapshot=snapshot, now=now):
        found.append(stale)
    there = held + inputs.in_flight.num_rows
    if there and destination and destination != (inputs.last_destination or destination):
        found.append(Tripped("changed_remote", actual=there))
    if not snapshot.is_green:
        found.append(Tripped("gates"))
    if inputs.last_size is None and not is_sandbox:
        found.append(Tripped("first_run"))
    return found


def stale_input(
    guards: Guards, *, inputs: Inputs, snapshot: Snapshot, now: datetime
) -> Tripped | None:
    """Whether the marts or the state are too old to act on; asked again before a plan is applied.

    `now` is naive UTC.
    """
    age = (now - snapshot.as_of).total_seconds() / 3600
    if age > guards.max_input_age_hours:
        return Tripped("stale_input", guards.max_input_age_hours, age)
    if snapshot.snapshot_id < (inputs.newest_snapshot or "") or (
        inputs.newest_as_of is not None and snapshot.as_of < inputs.newest_as_of
    ):
        return Tripped("stale_input", is_rollback=True)
    return Tripped("stale_input") if inputs.restored_at is not None else None


def _members(inputs: Inputs) -> int:
    """Customers whom the channel holds by us; own staff do not count."""
    is_seed = pc.starts_with(inputs.acknowledged.column("customer_id"), "seed:")
    return inputs.acknowledged.num_rows - int(pc.sum(is_seed).as_py() or 0)
