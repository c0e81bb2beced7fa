"""Whether a sync has its turn in a run: hourly and daily always, weekly when a week has passed."""

from datetime import UTC, timedelta

from activation.audiences import load_audiences
from khach.clock import now
from khach.environment import Environment
from khach.state import open_state

# A run an hour earlier than last week's is still the same weekly run.
_WEEK = timedelta(days=7) - timedelta(hours=6)


def is_due(env: Environment, sync_id: str) -> bool:
    """A weekly sync is due when its last applied plan looked at a day a week ago or more."""
    _, sync = load_audiences(env).find_sync(sync_id)
    if sync.cadence != "weekly":
        return True
    with open_state(env) as state:
        row = state.execute(
            "select max(as_of) from sync_plans where sync_id = ? "
            "and status in ('applied', 'partly_applied')",
            [sync_id],
        ).fetchone()
    last = row[0] if row else None
    return last is None or now(env).astimezone(UTC).replace(tzinfo=None) - last >= _WEEK
