"""What became of rows that were sent: receipts, members and messages, as the channel answered.

An intent (`activation.intents`) is closed in the transaction that writes the row's receipt. Both
ways to an answer, at once and later by its handle, first make the temporary table `settled`: a row
of the plan with its answer. Ids, hashes, counts and reasons only.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from activation.channels.base import Outcome
from activation.ledger import State
from khach.runs import utc_now

_OUTCOME = pa.schema(
    [("row_number", pa.int64()), ("status", pa.string()), ("code", pa.string()),
     ("message", pa.string()), ("handle", pa.string()), ("is_confirmed", pa.bool_())]
)  # fmt: skip


def record_outcomes(
    state: State,
    plan_id: str,
    outcomes: Sequence[tuple[int, Outcome]],
    *,
    is_confirmed: bool = True,
) -> None:
    """Close intents of rows with an answer: receipts, members and messages, in one transaction.

    `is_confirmed`: whether an acknowledged payload is known to be there. An unanswered membership
    keeps its intent; an unanswered message was not sent, so its intent and message are undone.
    """
    rows = [(number, o.status, o.code, o.message, o.handle, is_confirmed) for number, o in outcomes]
    columns = [pa.array([row[i] for row in rows], field.type) for i, field in enumerate(_OUTCOME)]
    state.register("answered", pa.Table.from_arrays(columns, schema=_OUTCOME))
    state.execute("begin")
    state.execute(
        """
        create or replace temp table settled as
        select planned.*, intent.sync_id, intent.opened_at, answered.* exclude (row_number)
        from answered
        join sync_intents as intent
            on intent.plan_id = $plan and answered.row_number = intent.row_number
        join sync_plan_rows as planned
            on planned.plan_id = $plan and answered.row_number = planned.row_number
        where answered.status <> 'unanswered' or planned.action = 'message'
        """,
        {"plan": plan_id},
    )
    _write_receipts(state)
    _write_messages(state)
    _write_members(state)
    state.execute(
        "delete from sync_intents where plan_id = ? and row_number in "
        "(select row_number from settled)",
        [plan_id],
    )
    state.execute("drop table settled")
    state.execute("commit")
    state.unregister("answered")


class Answer(NamedTuple):
    """What became of the rows that were submitted at a time under a handle."""

    handle: str
    submitted_at: datetime
    outcome: Outcome


def record_answers(state: State, sync_id: str, answers: Sequence[Answer]) -> None:
    """What became of submitted rows: receipts, members and messages follow."""
    state.register("told", _told(answers))
    state.execute("begin")
    state.execute(
        """
        create or replace temp table settled as
        select
            planned.*, submitted.sync_id, submitted.submitted_at as opened_at, told.status,
            told.code, told.message, told.member_handle as handle, true as is_confirmed
        from sync_submitted as submitted
        join told on submitted.handle = told.handle and submitted.submitted_at = told.submitted_at
        join sync_plan_rows as planned
            on submitted.plan_id = planned.plan_id and submitted.row_number = planned.row_number
        where submitted.sync_id = ?
        """,
        [sync_id],
    )
    state.execute(
        "delete from sync_receipts where receipt_id in "
        "(select plan_id || '-' || row_number from settled where action <> 'message')"
    )
    _write_receipts(state, "action <> 'message'")
    _write_members(state)
    _end_messages(state)
    state.execute(
        "delete from sync_submitted where (plan_id, row_number) in "
        "(select (plan_id, row_number) from settled)"
    )
    state.execute("drop table settled")
    state.execute("commit")
    state.unregister("told")


def _told(answers: Sequence[Answer]) -> pa.Table:
    """The answers that are an end."""
    ends = [answer for answer in answers if answer.outcome.status != "submitted"]
    texts = {
        "handle": [end.handle for end in ends],
        "status": [end.outcome.status for end in ends],
        "code": [end.outcome.code for end in ends],
        "message": [end.outcome.message for end in ends],
        "member_handle": [end.outcome.handle for end in ends],
    }
    columns = {name: pa.array(values, pa.string()) for name, values in texts.items()}
    times = pa.array([end.submitted_at for end in ends], pa.timestamp("us"))
    return pa.table({**columns, "submitted_at": times})


def _write_receipts(state: State, which: str = "true") -> None:
    state.execute(
        f"""
        insert into sync_receipts (receipt_id, plan_id, sync_id, customer_id, action, status,
            payload_hash, consent_id, remote_id, vendor_code, vendor_message, attempted_at,
            settled_at)
        select plan_id || '-' || row_number, plan_id, sync_id, customer_id, action,
            if(status = 'failed', 'rejected', if(status = 'delivered', 'acknowledged', status)),
            payload_hash, consent_id, coalesce(handle, remote_id), code, message, opened_at,
            if(status = 'submitted', null, ?)
        from settled
        where status <> 'unanswered' and {which}
        """,
        [utc_now()],
    )


def _write_messages(state: State) -> None:
    """Accepted is not delivered: a message with a handle is asked for until its end is known."""
    state.execute(
        "delete from messages where (sync_id, entry_id) in (select (sync_id, entry_id) "
        "from settled where action = 'message' and status in ('rejected', 'dropped', "
        "'unanswered'))"
    )
    state.execute(
        "update messages set handle = settled.handle, status = "
        "if(settled.status = 'acknowledged', 'accepted', settled.status) from settled "
        "where messages.sync_id = settled.sync_id and messages.entry_id = settled.entry_id "
        "and settled.action = 'message'"
    )
    state.execute(
        "insert into sync_submitted select plan_id, row_number, sync_id, "
        "coalesce(handle, plan_id || '-' || row_number), ? from settled "
        "where status = 'submitted' "
        "or action = 'message' and status = 'acknowledged' and handle is not null",
        [utc_now()],
    )


def _end_messages(state: State) -> None:
    """What is known of messages in the end, each of which has its receipt already."""
    state.execute(
        "update messages set settled_at = ?, status = case when settled.status in "
        "('rejected', 'dropped') then 'failed' when settled.status = 'acknowledged' "
        "then 'accepted' else settled.status end from settled "
        "where messages.sync_id = settled.sync_id and messages.entry_id = settled.entry_id "
        "and settled.action = 'message'",
        [utc_now()],
    )


def _write_members(state: State) -> None:
    """What the channel has confirmed; what may have arrived, or may have been removed, is held as
    unconfirmed, so that it is sent again while wanted, and removed when not.
    """
    state.execute(
        # A row that went out under the channel's own id keeps the key that we know the member by.
        "create or replace temp table standing as select settled.* replace ("
        "coalesce(held.remote_id, settled.remote_id, settled.identifier_hash) as remote_id, "
        "coalesce(settled.handle, held.handle) as handle) from settled "
        "left join sync_acknowledged as held on settled.sync_id = held.sync_id "
        "and settled.identifier_hash = held.identifier_hash and settled.remote_id = held.handle "
        "where settled.action <> 'message' and (settled.status = 'acknowledged' "
        "or settled.status = 'unknown' and settled.action <> 'remove')"
    )
    state.execute(
        "update sync_acknowledged set payload_hash = null, field_hashes = null "
        "where (sync_id, identifier_hash) in (select (sync_id, identifier_hash) from settled "
        "where status = 'unknown' and action = 'remove')"
    )
    state.execute(
        "delete from sync_acknowledged where (sync_id, identifier_hash) in "
        "(select (sync_id, identifier_hash) from standing)"
    )
    state.execute(
        "insert into sync_acknowledged by name "
        "select sync_id, customer_id, identifier_hash, remote_id, handle, "
        "if(is_confirmed and status = 'acknowledged', payload_hash, null) as "
        "payload_hash, if(is_confirmed and status = 'acknowledged', field_hashes, null) as "
        "field_hashes, ?::timestamp as acknowledged_at from standing where action <> 'remove'",
        [utc_now()],
    )
    state.execute("drop table standing")
