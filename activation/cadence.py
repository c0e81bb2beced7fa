"""Whether a sync has its turn in a run.

A daily run takes all, weekly ones when a week has passed. An hourly run takes those of hourly
cadence, and messages that a run in the night had to defer.
"""

from datetime import UTC, datetime, timedelta

from activation.audiences import load_audiences
from khach.clock import now
from khach.environment import Environment
from khach.state import open_state

# A run an hour earlier than last week's is still the same weekly run.
_WEEK = timedelta(days=7) - timedelta(hours=6)


def is_due(env: Environment, sync_id: str, *, is_hourly: bool) -> bool:
    """A weekly sync is due when its last applied plan looked at a day a week ago or more."""
    _, sync = load_audiences(env).find_sync(sync_id)
    moment = now(env).astimezone(UTC).replace(tzinfo=None)
    if is_hourly and sync.cadence != "hourly":
        return _waits(env, sync_id, moment)
    if sync.cadence != "weekly" or _waits(env, sync_id, moment):
        return True
    with open_state(env) as state:
        row = state.execute(
            "select max(as_of) from sync_plans where sync_id = ? "
            "and status in ('applied', 'partly_applied')",
            [sync_id],
        ).fetchone()
    last = row[0] if row else None
    return last is None or moment - last >= _WEEK


def _waits(env: Environment, sync_id: str, moment: datetime) -> bool:
    """Whether the newest plan deferred rows whose time has come."""
    with open_state(env) as state:
        row = state.execute(
            "select count(*) from sync_receipts where status = 'deferred' and not_before <= ? "
            "and plan_id = (select max_by(plan_id, (created_at, plan_id)) from sync_plans "
            "where sync_id = ? and started_at is not null)",
            [moment, sync_id],
        ).fetchone()
    return bool(row and row[0])
