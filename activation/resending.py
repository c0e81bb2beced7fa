"""Messages whose process died: the same batch again where that is harmless, else `unknown`."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from activation.audience_file import Sync
from activation.channels.base import Batch, BatchRejectedError, Channel, Outcome
from activation.consent import PermittedRow
from activation.evaluation import Evaluation, evaluate
from activation.outcomes import record_outcomes
from activation.policy import load_policy
from activation.timing import next_opening, sync_windows
from khach.clock import now
from khach.environment import Environment
from khach.errors import BusyError
from khach.runs import utc_now
from khach.settings import load_settings
from khach.state import open_state

_UNKNOWN = Outcome("unknown", "interrupted", "it may have gone out; it is not sent again by itself")


def resend(
    env: Environment, sync: Sync, channel: Channel, plan_id: str, rows: pa.Table
) -> list[Outcome]:
    """Settle open intents of messages, batch by batch; the outcomes.

    `rows` are those of the plan with an open intent. A batch is repeated under its own id only when
    the channel is idempotent and still remembers it, every row of it is permitted, reads as it did
    and has not expired, and its hours are open. Raises BusyError without an answer.
    """
    batches: dict[str, list[dict[str, Any]]] = {}
    for row in rows.to_pylist():
        batches.setdefault(str(row["batch_id"]), []).append(row)
    moment = now(env).astimezone(UTC).replace(tzinfo=None)
    may_repeat = sync.capabilities.is_idempotent and _is_open(env, sync, moment)
    settled = []
    with evaluate(env, sync.id) as evaluation:
        for batch_id, batch in batches.items():
            is_timely = may_repeat and all(_is_timely(sync, row, moment) for row in batch)
            same = _same_rows(evaluation, batch) if is_timely else None
            outcomes = [_UNKNOWN] * len(batch)
            if same is not None:
                outcomes = _send(channel, Batch(batch_id, plan_id, sync.id, same))
            if any(outcome.status == "unanswered" for outcome in outcomes):
                # The first try may have gone out: the whole batch keeps its intents and its id.
                raise BusyError(f"{sync.channel} stopped answering", fix="try again later")
            numbers = [row["row_number"] for row in batch]
            with open_state(env) as state:
                record_outcomes(state, plan_id, list(zip(numbers, outcomes, strict=True)))
            settled += outcomes
    return settled


def _same_rows(evaluation: Evaluation, batch: list[dict[str, Any]]) -> list[PermittedRow] | None:
    """The rows as they were, or None when one of them is another or not permitted now."""
    numbers = pa.array([row["row_number"] for row in batch], pa.int64())
    hashes = pa.array([row["identifier_hash"] for row in batch], pa.string())
    permitted = evaluation.permitted(pa.table({"row_number": numbers, "identifier_hash": hashes}))
    payloads = evaluation.payload_hashes()
    for row in batch:
        found = permitted.get(row["identifier_hash"])
        if found is None or found.row_id != row["entry_id"]:
            return None
        if payloads.get(row["identifier_hash"]) != row["payload_hash"]:
            return None
    return [permitted[row["identifier_hash"]] for row in batch]


def _send(channel: Channel, batch: Batch[PermittedRow]) -> list[Outcome]:
    try:
        return channel.send(batch)
    except BatchRejectedError:
        # Nothing of the repeat took effect; the first time may have, before the answer was lost.
        return [_UNKNOWN] * len(batch.rows)


def _is_timely(sync: Sync, row: dict[str, Any], moment: datetime) -> bool:
    """Whether the platform still knows a repeat for one, and the message still makes sense."""
    memory = sync.capabilities.remembers_for
    if memory is not None and utc_now() - row["opened_at"] >= memory:
        return False
    valid_for = timedelta(hours=sync.on_enter.valid_for_hours if sync.on_enter else 0)
    return bool(moment < row["entered_at"] + valid_for)


def _is_open(env: Environment, sync: Sync, moment: datetime) -> bool:
    windows = sync_windows(sync, load_policy(env).rules)
    return next_opening(windows, moment, load_settings(env).business_time_zone) is None
