"""What is made durable before rows leave, and of rows that do not: the ledger's side of a send.

An intent is durable before its batch is sent; the answer closes it (`activation.outcomes`). A row
without an answer keeps it. Ids, hashes, counts and reasons only.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import pyarrow as pa

from activation.channels.base import Outcome
from activation.ledger import PlanRecord, State
from khach.runs import utc_now


def open_intents(
    state: State,
    plan: PlanRecord,
    batches: Mapping[str, Sequence[int]],
    *,
    consent_channel: str,
    purpose: str,
    at: datetime,
) -> None:
    """Make durable that these rows are about to be sent as these batches (batch_id -> row numbers).

    Messages stand from here on. `at` is the business's clock, naive UTC. A row that is open already
    goes over to its new batch.
    """
    going = [(number, name) for name, numbers in batches.items() for number in numbers]
    numbers = pa.array([number for number, _ in going], pa.int64())
    names = pa.array([name for _, name in going], pa.string())
    state.register("going", pa.table({"row_number": numbers, "batch_id": names}))
    state.execute("begin")
    state.execute(
        "delete from sync_intents where plan_id = ? and row_number in "
        "(select row_number from going)",
        [plan.plan_id],
    )
    state.execute(
        "insert into sync_intents (plan_id, row_number, sync_id, opened_at, batch_id) "
        "select ?, row_number, ?, ?, batch_id from going",
        [plan.plan_id, plan.sync_id, utc_now()],
    )
    state.execute(
        "insert into messages (sync_id, customer_id, entry_id, status, audience, consent_channel, "
        "purpose, identifier_hash, plan_id, row_number, sent_at) select ?, customer_id, entry_id, "
        "'intent', ?, ?, ?, identifier_hash, plan_id, row_number, ? "
        "from sync_plan_rows join going using (row_number) "
        "where plan_id = ? and action = 'message' on conflict do nothing",
        [plan.sync_id, plan.audience, consent_channel, purpose, at, plan.plan_id],
    )
    state.execute("commit")
    state.unregister("going")


def doubt_members(state: State, sync_id: str, present: pa.Array) -> None:
    """Members whose identifier_hash is not in a list that goes out are confirmed no longer."""
    state.register("present", pa.table({"identifier_hash": present}))
    state.execute(
        "update sync_acknowledged set payload_hash = null, field_hashes = null "
        "where sync_id = ? and identifier_hash not in (select identifier_hash from present)",
        [sync_id],
    )
    state.unregister("present")


def record_without_sending(
    state: State,
    plan: PlanRecord,
    row_numbers: Sequence[int],
    outcome: Outcome,
    not_before: Sequence[datetime] = (),
) -> None:
    """Receipts of rows that do not go out: dropped, or deferred, each until its `not_before`."""
    times: Sequence[datetime | None] = not_before or [None] * len(row_numbers)
    left = {"row_number": pa.array(row_numbers, pa.int64()),
            "not_before": pa.array(times, pa.timestamp("us"))}  # fmt: skip
    state.register("left_rows", pa.table(left))
    state.execute(
        "insert into sync_receipts (receipt_id, plan_id, sync_id, customer_id, action, status, "
        "payload_hash, consent_id, remote_id, vendor_code, vendor_message, attempted_at, "
        "settled_at, not_before) select plan_id || '-' || row_number, plan_id, $sync, "
        "customer_id, action, $status, payload_hash, consent_id, remote_id, $code, $message, $at, "
        "$at, left_rows.not_before from sync_plan_rows join left_rows using (row_number) "
        "where plan_id = $plan",
        {
            "sync": plan.sync_id, "plan": plan.plan_id, "status": outcome.status,
            "code": outcome.code, "message": outcome.message, "at": utc_now(),
        },
    )  # fmt: skip
    state.unregister("left_rows")
