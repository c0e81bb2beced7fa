"""After a process died: read back what the channel really holds, then drop the rest of its plan.

Nothing is sent here. A row that took effect becomes acknowledged (so that it can be updated or
removed later), a row that did not is `dropped`; the next plan sends what is missing, under the
consents of its own day.
"""

from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from activation.audiences import load_audiences
from activation.channels import make_channel
from activation.channels.base import RemoteMember
from activation.consent import withdraw
from activation.leases import hold_lease
from activation.ledger import outcome_table, record_outcomes
from khach.environment import Environment
from khach.runs import utc_now
from khach.state import open_state


@dataclass(frozen=True)
class Settled:
    """What recovery found for one sync."""

    sync_id: str
    plan_ids: tuple[str, ...]
    acknowledged_count: int
    dropped_count: int

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    def text(self) -> str:
        """One line for people."""
        return (
            f"{self.sync_id}: an interrupted apply was settled; {self.acknowledged_count:,} rows "
            f"had arrived, {self.dropped_count:,} had not; the rest is planned again"
        )


def settle(env: Environment) -> list[Settled]:
    """Settle every sync that an interrupted apply left open; [] when there is none.

    Raises BusyError while a sync is being applied or its channel gives no answer.
    """
    if not env.state.exists():
        return []
    with open_state(env) as state:
        rows = state.execute(
            "select sync_id from sync_intents union "
            "select sync_id from sync_plans where started_at is not null and ended_at is null "
            "and status in ('ready', 'blocked') order by 1"
        ).fetchall()
    return [found for row in rows if (found := settle_sync(env, str(row[0])))]


def settle_sync(env: Environment, sync_id: str, *, is_leased: bool = False) -> Settled | None:
    """Settle one sync; None when nothing was open. `is_leased`: the caller holds its lease."""
    with open_state(env) as state:
        plan_ids = _open_plans(state, sync_id)
    if not plan_ids:
        return None
    if not is_leased:
        with hold_lease(env, sync_id):
            return settle_sync(env, sync_id, is_leased=True)
    counts = {"acknowledged": 0, "dropped": 0}
    for plan_id in plan_ids:
        for status, count in _settle_plan(env, sync_id, plan_id).items():
            counts[status] += count
    return Settled(sync_id, tuple(plan_ids), counts["acknowledged"], counts["dropped"])


def _open_plans(state: duckdb.DuckDBPyConnection, sync_id: str) -> list[str]:
    rows = state.execute(
        "select plan_id from sync_intents where sync_id = $sync union "
        "select plan_id from sync_plans where sync_id = $sync and started_at is not null "
        "and ended_at is null and status in ('ready', 'blocked') order by 1",
        {"sync": sync_id},
    ).fetchall()
    return [str(row[0]) for row in rows]


def _settle_plan(env: Environment, sync_id: str, plan_id: str) -> dict[str, int]:
    with open_state(env) as state:
        rows = state.execute(
            "select row_number, action, remote_id from sync_plan_rows join sync_intents "
            "using (plan_id, row_number) where plan_id = ? order by row_number",
            [plan_id],
        ).fetchall()
    settled = _read_back(env, sync_id, plan_id, rows) if rows else []
    with open_state(env) as state:
        record_outcomes(state, plan_id, outcome_table(settled))
        state.execute(
            "update sync_plans set status = 'superseded', ended_at = ? where plan_id = ? "
            "and ended_at is null",
            [utc_now(), plan_id],
        )
    statuses = [row[1] for row in settled]
    return {status: statuses.count(status) for status in ("acknowledged", "dropped")}


def _read_back(
    env: Environment, sync_id: str, plan_id: str, rows: list[tuple[int, str, str]]
) -> list[tuple[int, str, str | None, str | None, bool]]:
    _, sync = load_audiences(env).find_sync(sync_id)
    channel = make_channel(env, sync.channel, sync.remote, sync_id)
    if sync.capabilities.is_whole_file:
        is_there = channel.holds(sync_id, plan_id)
        return [_outcome(row[0], is_there, is_confirmed=True) for row in rows]
    members = channel.read_back([withdraw(row[2]) for row in rows])
    return [
        _outcome(number, _took_effect(action, member), is_confirmed=action == "add")
        for (number, action, _), member in zip(rows, members, strict=True)
    ]


def _took_effect(action: str, member: RemoteMember) -> bool:
    """Adds and updates show as membership, removes as its absence.

    The tag of an add is posted after its fields, so it proves both; an update's fields are not
    proven by a tag that stood there before, hence not confirmed: the next plan sends them again.
    """
    return not member.is_member if action == "remove" else member.is_member


def _outcome(
    number: int, is_there: bool, *, is_confirmed: bool
) -> tuple[int, str, str | None, str | None, bool]:
    if is_there:
        return number, "acknowledged", "read_back", None, is_confirmed
    return number, "dropped", "interrupted", "not there after an interruption", False
