"""What the channel's own list holds against what we believe it holds, and how drift is mended."""

from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from activation.audience_file import Sync
from activation.audiences import load_audiences
from activation.channels import make_channel
from activation.leases import hold_lease
from activation.ledger import State
from activation.recovery import settle_sync
from khach.environment import Environment
from khach.errors import ConfigError
from khach.state import open_state


@dataclass(frozen=True)
class Drift:
    """Counts of one sync. `missing`: we believe they are there, they are not. `stray`: they are
    there, and not by us; they are left alone. `unconfirmed`: of them nobody knew the end, and the
    list does not show it; they keep their state, in which the next plan sends or removes them.
    `is_repaired`: the missing are planned anew.
    """

    sync_id: str
    remote_count: int
    acknowledged_count: int
    missing_count: int
    stray_count: int
    unconfirmed_count: int
    is_repaired: bool

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    def text(self) -> str:
        """A few lines for people."""
        lines = [
            f"{self.sync_id}: the channel holds {self.remote_count:,}, "
            f"we put {self.acknowledged_count:,} there",
            f"  missing {self.missing_count:,}: added again by the next plan"
            if self.is_repaired
            else f"  missing {self.missing_count:,}: taken out by others",
            f"  stray {self.stray_count:,}: put in by others; left alone",
        ]
        if self.unconfirmed_count:
            lines.append(
                f"  unconfirmed {self.unconfirmed_count:,}: sent or removed by the next plan"
            )
        if self.missing_count and not self.is_repaired:
            lines.append(f"  to add them again: khach reconcile {self.sync_id} --repair")
        return "\n".join(lines)


def reconcile(env: Environment, sync_id: str, *, repair: bool = False) -> Drift:
    """Compare a sync's list with what it acknowledged; with `repair`, forget what is not there.

    Nothing is sent: the next plan adds who is missing and wanted, under the consents of its day,
    held by the guards like any other. Raises ConfigError for a channel that shows no list,
    BusyError while the sync is being applied or the channel gives no answer.
    """
    _, sync = load_audiences(env).find_sync(sync_id)
    _require_list(sync)
    with hold_lease(env, sync_id):
        settle_sync(env, sync_id, is_leased=True)
        channel = make_channel(env, sync.channel, sync.remote, sync_id)
        present = pa.table({"remote_id": pa.array(sorted(set(channel.members())), pa.string())})
        with open_state(env) as state:
            state.register("present", present)
            counts = _compare(state, sync_id)
            if repair:
                # A member whose end is unknown may be there under an id that we were never told.
                state.execute(
                    "delete from sync_acknowledged where sync_id = $sync "
                    "and payload_hash is not null "
                    "and coalesce(handle, remote_id) not in (from present)",
                    {"sync": sync_id},
                )
            state.unregister("present")
    return Drift(sync_id, *counts, repair)


def _compare(state: State, sync_id: str) -> tuple[int, int, int, int, int]:
    """Remote, held, missing, stray and unconfirmed, over the ids in `present`."""
    row = state.execute(
        "with held as (select coalesce(handle, remote_id) as remote_id, payload_hash is not null "
        "as is_confirmed from sync_acknowledged where sync_id = ?), "
        "gone as (from held where remote_id not in (from present)) "
        "select (select count(*) from present), (select count(*) from held), "
        "(select count(*) from gone where is_confirmed), "
        "(select count(*) from present where remote_id not in (select remote_id from held)), "
        "(select count(*) from gone where not is_confirmed)",
        [sync_id],
    ).fetchone()
    remote, held, missing, stray, unconfirmed = row or (0, 0, 0, 0, 0)
    return remote, held, missing, stray, unconfirmed


def _require_list(sync: Sync) -> None:
    if sync.is_message:
        raise ConfigError(f"sync {sync.id} sends messages: there is no list to compare")
    if not sync.capabilities.can_list:
        raise ConfigError(
            f"channel {sync.channel} does not show its list",
            fix="a full new plan is the way: its adds and updates are harmless where they are",
        )
