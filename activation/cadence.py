"""Whether a sync has its turn in a run.

A daily run takes all, weekly ones when a week has passed. An hourly run takes those of hourly
cadence, and messages that a run in the night had to defer.
"""

from datetime import UTC, datetime, timedelta

from activation.audience_file import Sync
from activation.audiences import load_audiences
from activation.policy import load_policy
from activation.timing import next_opening, sync_windows
from khach.clock import now
from khach.environment import Environment
from khach.settings import load_settings
from khach.state import open_state

# A run an hour earlier than last week's is still the same weekly run.
_WEEK = timedelta(days=7) - timedelta(hours=6)


def is_due(env: Environment, sync_id: str, *, is_hourly: bool) -> bool:
    """A weekly sync is due when its last applied plan looked at a day a week ago or more."""
    _, sync = load_audiences(env).find_sync(sync_id)
    moment = now(env).astimezone(UTC).replace(tzinfo=None)
    if is_hourly and sync.is_message and _is_quiet(env, sync, moment):
        return False
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


def _is_quiet(env: Environment, sync: Sync, moment: datetime) -> bool:
    """Outside its hours a message would be deferred again, with a receipt every hour."""
    windows = sync_windows(sync, load_policy(env).rules)
    return next_opening(windows, moment, load_settings(env).business_time_zone) is not None


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
