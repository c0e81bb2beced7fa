"""Carrying the rows of a started plan to the channel: batches, intents, halving, answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from activation.channels.base import Batch, BatchRejectedError, Channel, Outcome, Row
from activation.consent import PermittedRow, withdraw
from activation.evaluation import Evaluation
from activation.leases import Lease
from activation.ledger import PlanRecord
from activation.outcomes import doubt_members, open_intents, record_outcomes, record_without_sending
from activation.policy import PolicyFile
from activation.timing import capped, next_opening, sync_windows
from khach.clock import now
from khach.environment import Environment
from khach.errors import BusyError
from khach.state import open_state

_NOT_WANTED = Outcome("dropped", "no_longer_wanted", "a withdrawal or a change came after the plan")
_ONE_WAY = Outcome("deferred", "one_way_job", "removals and additions never go in one job")
_REMOVED_FIRST = Outcome("deferred", "removal_first", "the old entry is not removed yet")


@dataclass(frozen=True)
class Delivery:
    """A started plan on its way; every method leaves state whole at every line."""

    env: Environment
    plan: PlanRecord
    evaluation: Evaluation
    channel: Channel
    lease: Lease
    # Row numbers of members whom the channel acknowledged before.
    updates: frozenset[int] = frozenset()

    def whole_file(self, planned: pa.Table) -> None:
        """The whole list in one delivery; nothing is written when nothing changes."""
        permitted = self.evaluation.permitted()
        present = pa.array(list(permitted), pa.string())
        is_present = pc.is_in(planned.column("identifier_hash"), value_set=present)
        is_carried = pc.or_(pc.equal(planned.column("action"), "remove"), is_present)
        self._leave(planned.filter(pc.invert(is_carried)), _NOT_WANTED)
        numbers = planned.filter(is_carried).column("row_number").to_pylist()
        if not numbers:
            return
        with open_state(self.env) as state:
            doubt_members(state, self.plan.sync_id, present)
        fields = sorted(self.evaluation.sync.fields)
        self._intend([numbers])
        outcome = self.channel.replace(
            list(permitted.values()), fields, self.plan.sync_id, self.plan.plan_id
        )
        self._record([(number, outcome or Outcome("acknowledged")) for number in numbers])

    def members(self, planned: pa.Table) -> None:
        """Removes first, then adds and updates, in batches; each batch is one kind."""
        is_remove = pc.equal(planned.column("action"), "remove")
        leaving, coming = planned.filter(is_remove), planned.filter(pc.invert(is_remove))
        if planned.num_rows:
            self.channel.prepare(sorted(self.evaluation.sync.fields))
        for batch in self._batches(leaving):
            self._remove(batch)
        if leaving.num_rows and self.evaluation.sync.capabilities.is_one_way_job:
            self._leave(coming, _ONE_WAY)
            return
        if leaving.num_rows:
            coming = self._without_unremoved(leaving, coming)
        for batch in self._batches(coming):
            self._permitted(batch, self.channel.upsert)

    def _without_unremoved(self, leaving: pa.Table, coming: pa.Table) -> pa.Table:
        """Without those whose old key, or whose key's old holder, the channel has not removed yet:
        else the old one would stay for ever, or a later removal would take the new one away.
        """
        with open_state(self.env) as state:
            held = state.execute(
                "select identifier_hash, remote_id, handle from sync_acknowledged "
                "where sync_id = ? and list_contains(?, identifier_hash)",
                [self.plan.sync_id, leaving.column("identifier_hash").to_pylist()],
            ).to_arrow_table()
        keys = pa.chunked_array(
            [*held.column("remote_id").chunks, *held.column("handle").chunks], pa.string()
        )
        must_wait = pc.or_(
            pc.is_in(coming.column("identifier_hash"), value_set=held.column("identifier_hash")),
            pc.is_in(coming.column("remote_id"), value_set=keys.drop_null()),
        )
        self._leave(coming.filter(must_wait), _REMOVED_FIRST)
        return coming.filter(pc.invert(must_wait))

    def messages(self, planned: pa.Table, policy: PolicyFile, time_zone: str) -> None:
        """One message a row, those that may go out now; the others are deferred or expired."""
        moment = self._now()
        opening = next_opening(sync_windows(self.evaluation.sync, policy), moment, time_zone)
        on_enter = self.evaluation.sync.on_enter
        limit = on_enter.valid_for_hours * 3600 if on_enter else 0
        seconds = pc.seconds_between(planned.column("entered_at"), pa.scalar(moment))
        is_fresh = pc.less(seconds, limit)
        self._leave(planned.filter(pc.invert(is_fresh)), Outcome("dropped", "expired"))
        planned = planned.filter(is_fresh)
        if opening is not None:
            times = [opening] * planned.num_rows
            self._leave(planned, Outcome("deferred", "quiet_hours"), not_before=times)
            return
        planned = self._without_capped(planned, policy, moment)
        if planned.num_rows:
            self.channel.prepare(sorted(self.evaluation.sync.fields))
        for batch in self._batches(planned):
            self._permitted(batch, self.channel.send)

    def _without_capped(self, planned: pa.Table, policy: PolicyFile, moment: datetime) -> pa.Table:
        with open_state(self.env) as state:
            messages = state.execute(
                "select customer_id, identifier_hash, consent_channel, sync_id, sent_at "
                "from messages where status <> 'failed'"
            ).to_arrow_table()
        held = capped(
            self.evaluation.connection, self.evaluation.sync, policy.caps, messages=messages,
            rows=planned.select(["row_number", "customer_id", "identifier_hash"]), now=moment,
        )  # fmt: skip
        keys = pa.array(sorted(held), pa.int64())
        is_held = pc.is_in(planned.column("row_number"), value_set=keys)
        waiting = planned.filter(is_held)
        times = [held[number] for number in waiting.column("row_number").to_pylist()]
        self._leave(waiting, Outcome("deferred", "frequency_cap"), not_before=times)
        return planned.filter(pc.invert(is_held))

    def _batches(self, planned: pa.Table) -> list[pa.Table]:
        size = self.evaluation.sync.capabilities.batch_size
        return [planned.slice(start, size) for start in range(0, planned.num_rows, size)]

    def _remove(self, batch: pa.Table) -> None:
        known = self.evaluation.identifiers(batch.column("identifier_hash").combine_chunks())
        rows = {
            row["row_number"]: withdraw(
                row["remote_id"], str(row["row_number"]), known.get(row["identifier_hash"])
            )
            for row in batch.select(["row_number", "remote_id", "identifier_hash"]).to_pylist()
        }
        self._send(rows, self.channel.remove)

    def _permitted(
        self, batch: pa.Table, act: Callable[[Batch[PermittedRow]], list[Outcome]]
    ) -> None:
        """Built before the intent: a row without permission leaves no trace of an attempt."""
        permitted = self.evaluation.permitted(batch.select(["row_number", "identifier_hash"]))
        numbers = batch.column("row_number").to_pylist()
        hashes = batch.column("identifier_hash").to_pylist()
        rows = {n: permitted[h] for n, h in zip(numbers, hashes, strict=True) if h in permitted}
        if len(rows) < len(numbers):
            gone = pa.array([number for number in numbers if number not in rows], pa.int64())
            self._leave(
                batch.filter(pc.is_in(batch.column("row_number"), value_set=gone)), _NOT_WANTED
            )
        self._send(rows, act)

    def _send(self, rows: dict[int, Row], act: Callable[[Batch[Row]], list[Outcome]]) -> None:
        """One batch with its intents, and its answers recorded."""
        if rows:
            self._intend([list(rows)])
            self._send_intended(rows, act)

    def _send_intended(
        self, rows: dict[int, Row], act: Callable[[Batch[Row]], list[Outcome]]
    ) -> None:
        """A rejected batch is halved until the bad row is alone. Both halves get their own ids
        before one is sent: no id ever names other rows than those it was first said of.
        """
        numbers = list(rows)
        batch = Batch(
            self._batch_id(numbers), self.plan.plan_id, self.plan.sync_id, list(rows.values()),
            frozenset(row.row_id for number, row in rows.items() if number in self.updates),
        )  # fmt: skip
        try:
            outcomes = act(batch)
        except BatchRejectedError as problem:
            if len(numbers) == 1:
                self._record([(numbers[0], problem.outcome)])
                return
            middle = len(numbers) // 2
            halves = [numbers[:middle], numbers[middle:]]
            self._intend(halves)
            for half in halves:
                self._send_intended({number: rows[number] for number in half}, act)
            return
        self._record(list(zip(numbers, outcomes, strict=True)))

    def _batch_id(self, numbers: Sequence[int]) -> str:
        return f"{self.plan.plan_id}-b{numbers[0]}-{len(numbers)}"

    def _intend(self, batches: Sequence[Sequence[int]]) -> None:
        with open_state(self.env) as state:
            self.lease.renew(state)
            open_intents(
                state, self.plan, {self._batch_id(numbers): numbers for numbers in batches},
                at=self._now(),
                consent_channel=self.evaluation.sync.consent,
                purpose=self.evaluation.audience.purpose,
            )  # fmt: skip

    def _record(self, answers: Sequence[tuple[int, Outcome]]) -> None:
        """Write what was answered; the apply stops at a channel that does not answer."""
        with open_state(self.env) as state:
            record_outcomes(state, self.plan.plan_id, answers)
        silent = sum(outcome.status == "unanswered" for _, outcome in answers)
        if silent:
            raise BusyError(
                f"{self.plan.channel} gave no answer for {silent} rows",
                fix="try again later; the next run first settles what was under way",
            )

    def _leave(
        self, planned: pa.Table, outcome: Outcome, *, not_before: Sequence[datetime] = ()
    ) -> None:
        """Rows that are not sent now: a receipt says why, and the next plan looks again."""
        if planned.num_rows:
            with open_state(self.env) as state:
                numbers = planned.column("row_number").to_pylist()
                record_without_sending(state, self.plan, numbers, outcome, not_before)

    def _now(self) -> datetime:
        return now(self.env).astimezone(UTC).replace(tzinfo=None)
