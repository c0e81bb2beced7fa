"""After a process died: settle what was under way, then drop the rest of its plan.

Memberships are read back: a row that took effect becomes acknowledged, its fields unconfirmed (so
that the next plan updates or removes it), one that did not is `dropped`; the next plan sends what
is missing, under the consents of its own day. Messages are repeated only where the channel lets a
repeat take effect once; elsewhere they become `unknown` and are never sent again by themselves.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC
from typing import Any

import duckdb

from activation.answers import poll_submitted
from activation.audience_file import Audience, Sync
from activation.audiences import load_audiences
from activation.call_lists import record_call_list
from activation.channels import make_channel
from activation.channels.base import Channel, Outcome, RemoteMember
from activation.consent import withdraw
from activation.leases import hold_lease
from activation.matches import record_match
from activation.outcomes import Answer, record_answers, record_outcomes
from activation.resending import resend
from khach.environment import Environment
from khach.errors import KhachError, StoppedError
from khach.runs import utc_now
from khach.state import open_state

_THERE = Outcome("acknowledged", "read_back")
_NOT_THERE = Outcome("dropped", "interrupted", "not there after an interruption")
_MAYBE = Outcome("unknown", "interrupted", "the channel cannot show whether it arrived")


@dataclass(frozen=True)
class Settled:
    """What recovery found for one sync."""

    sync_id: str
    plan_ids: tuple[str, ...]
    acknowledged_count: int
    dropped_count: int
    unknown_count: int

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    def text(self) -> str:
        """One line for people."""
        return (
            f"{self.sync_id}: an interrupted apply was settled; {self.acknowledged_count:,} rows "
            f"had arrived, {self.dropped_count:,} had not, {self.unknown_count:,} nobody knows of; "
            "the rest is planned again"
        )


def settle(
    env: Environment, *, note: Callable[[str, KhachError], object] | None = None
) -> list[Settled]:
    """Settle every sync that an interrupted apply left open; [] when there is none.

    Rows of a sync that is no longer configured are `unknown`: no channel can be asked of them. What
    one sync raises (BusyError while it is being applied or its channel gives no answer, ConfigError
    for an expired token) goes to `note` by its id, so that it holds up no other; else it is raised.
    """
    if not env.state.exists():
        return []
    with open_state(env) as state:
        rows = state.execute(
            "select sync_id from sync_intents union select sync_id from sync_submitted union "
            "select sync_id from sync_plans where started_at is not null and ended_at is null "
            "and status in ('ready', 'blocked') order by 1"
        ).fetchall()
    known = {sync.id for audience in load_audiences(env).values() for sync in audience.syncs}
    found: list[Settled | None] = []
    for (sync_id,) in rows:
        try:
            found.append(settle_sync(env, sync_id) if sync_id in known else _give_up(env, sync_id))
        except StoppedError:
            raise
        except KhachError as problem:
            if note is None:
                raise
            note(sync_id, problem)
    return [one for one in found if one]


def _give_up(env: Environment, sync_id: str) -> Settled:
    """End everything of a sync that has left the configuration; its messages were accepted."""
    gone = Outcome("unknown", "sync_removed", "its sync is no longer configured")
    unknown_count = 0
    with hold_lease(env, sync_id), open_state(env) as state:
        plan_ids = _open_plans(state, sync_id)
        for plan_id in plan_ids:
            intents = state.execute(
                "select row_number from sync_intents where plan_id = ?", [plan_id]
            ).fetchall()
            outcomes = [(number, gone) for (number,) in intents]
            record_outcomes(state, plan_id, outcomes, is_confirmed=False)
            _end_plan(state, plan_id)
            unknown_count += len(outcomes)
        submitted = state.execute(
            "select distinct handle, submitted_at, action = 'message' from sync_submitted "
            "join sync_plan_rows using (plan_id, row_number) where sync_id = ? order by all",
            [sync_id],
        ).fetchall()
        accepted = Outcome("acknowledged")
        answers = [
            Answer(h, at, accepted if is_message else gone) for h, at, is_message in submitted
        ]
        record_answers(state, sync_id, answers)
    return Settled(sync_id, tuple(plan_ids), 0, 0, unknown_count)


def settle_sync(
    env: Environment, sync_id: str, *, is_leased: bool = False, is_applying: bool = False
) -> Settled | None:
    """Settle one sync, and ask for answers still to come; None when no apply was interrupted.

    `is_leased`: the caller holds its lease. `is_applying`: answers would move what its plan was
    made from, so they are asked for by the next plan. Raises BusyError when the channel gives no
    answer.
    """
    with open_state(env) as state:
        plan_ids = _open_plans(state, sync_id)
        has_submitted = state.execute(
            "select 1 from sync_submitted where sync_id = ? limit 1", [sync_id]
        ).fetchone()
    if not plan_ids and not has_submitted:
        return None
    if not is_leased:
        with hold_lease(env, sync_id):
            return settle_sync(env, sync_id, is_leased=True, is_applying=is_applying)
    audience, sync = load_audiences(env).find_sync(sync_id)
    channel = make_channel(env, sync.channel, sync.remote, sync_id)
    if has_submitted and not is_applying:
        poll_submitted(env, sync, channel)
        record_match(env, sync_id, channel)
    outcomes = [o for plan_id in plan_ids for o in _settle_plan(env, sync, channel, plan_id)]
    for plan_id in plan_ids:
        _record_calls_of(env, audience, sync, plan_id)
    statuses: list[str] = [outcome.status for outcome in outcomes]
    counts = [statuses.count(status) for status in ("acknowledged", "dropped", "unknown")]
    return Settled(sync_id, tuple(plan_ids), *counts) if plan_ids else None


def _record_calls_of(env: Environment, audience: Audience, sync: Sync, plan_id: str) -> None:
    """Whoever the interrupted plan put on a call list stands there since it was made."""
    with open_state(env) as state:
        row = state.execute("select as_of from sync_plans where plan_id = ?", [plan_id]).fetchone()
    if row:
        record_call_list(env, audience, sync, row[0].replace(tzinfo=UTC))


def _open_plans(state: duckdb.DuckDBPyConnection, sync_id: str) -> list[str]:
    rows = state.execute(
        "select plan_id from sync_intents where sync_id = $sync union "
        "select plan_id from sync_plans where sync_id = $sync and started_at is not null "
        "and ended_at is null and status in ('ready', 'blocked') order by 1",
        {"sync": sync_id},
    ).fetchall()
    return [str(row[0]) for row in rows]


def _settle_plan(env: Environment, sync: Sync, channel: Channel, plan_id: str) -> list[Outcome]:
    with open_state(env) as state:
        rows = state.execute(
            "select row_number, action, remote_id, identifier_hash, payload_hash, entry_id, "
            "entered_at, batch_id, opened_at from sync_plan_rows "
            "join sync_intents using (plan_id, row_number) where plan_id = ? order by row_number",
            [plan_id],
        ).to_arrow_table()
    settled: list[Outcome] = []
    if rows.num_rows and sync.is_message:
        settled = resend(env, sync, channel, plan_id, rows)
    elif rows.num_rows:
        settled = _read_back(env, sync, channel, plan_id, rows.to_pylist())
    with open_state(env) as state:
        _end_plan(state, plan_id)
    return settled


def _end_plan(state: duckdb.DuckDBPyConnection, plan_id: str) -> None:
    state.execute(
        "update sync_plans set status = 'superseded', ended_at = ? where plan_id = ? "
        "and ended_at is null",
        [utc_now(), plan_id],
    )


def _read_back(
    env: Environment, sync: Sync, channel: Channel, plan_id: str, rows: list[dict[str, Any]]
) -> list[Outcome]:
    """What the channel holds now. One that cannot show it: an add or update may have arrived, and
    is held as unconfirmed; a removal is repeated by the next plan.
    """
    if sync.capabilities.is_whole_file:
        is_there = channel.holds(sync.id, plan_id)
        # A list whose manifest is not there may stand there all the same.
        outcomes = [_THERE if is_there else _MAYBE for _ in rows]
    elif sync.capabilities.can_read_back:
        members = channel.read_back([withdraw(row["remote_id"]) for row in rows])
        outcomes = [
            _THERE if _took_effect(row["action"], member) else _NOT_THERE
            for row, member in zip(rows, members, strict=True)
        ]
    else:
        outcomes = [_MAYBE for _ in rows]
    answers = [(row["row_number"], o) for row, o in zip(rows, outcomes, strict=True)]
    with open_state(env) as state:
        # Only a whole file proves its fields: others may have made somebody a member before us.
        is_confirmed = sync.capabilities.is_whole_file
        record_outcomes(state, plan_id, answers, is_confirmed=is_confirmed)
    return outcomes


def _took_effect(action: str, member: RemoteMember) -> bool:
    """Adds and updates show as membership, removes as its absence."""
    return not member.is_member if action == "remove" else member.is_member
