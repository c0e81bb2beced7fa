"""Which rows of a started plan go out, in what order and batches, and which wait or are dropped."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from activation.channels.base import Batch, Channel, Outcome
from activation.consent import PermittedRow, withdraw
from activation.evaluation import Evaluation
from activation.intents import doubt_members
from activation.policy import PolicyFile
from activation.sending import Sender
from activation.timing import capped, next_opening, sync_windows
from khach.environment import Environment
from khach.state import open_state

_NOT_WANTED = Outcome("dropped", "no_longer_wanted", "a withdrawal or a change came after the plan")
_REMOVED_FIRST = Outcome("deferred", "removal_first", "the old entry is not removed yet")


@dataclass(frozen=True)
class Delivery:
    """The rows of a started plan, each kind in its order; the sender carries them."""

    env: Environment
    evaluation: Evaluation
    channel: Channel
    sender: Sender

    def whole_file(self, planned: pa.Table) -> None:
        """The whole list in one delivery; nothing is written when nothing changes."""
        permitted = self._listed(planned)
        present = pa.array(list(permitted), pa.string())
        is_present = pc.is_in(planned.column("identifier_hash"), value_set=present)
        is_carried = pc.or_(pc.equal(planned.column("action"), "remove"), is_present)
        self.sender.leave(planned.filter(pc.invert(is_carried)), _NOT_WANTED)
        numbers = planned.filter(is_carried).column("row_number").to_pylist()
        if not numbers:
            return
        plan = self.sender.plan
        with open_state(self.env) as state:
            doubt_members(state, plan.sync_id, present)
        fields = sorted(self.evaluation.sync.fields)
        self.sender.intend([numbers])
        outcome = self.channel.replace(list(permitted.values()), fields, plan.sync_id, plan.plan_id)
        self.sender.record([(number, outcome or Outcome("acknowledged")) for number in numbers])

    def _listed(self, planned: pa.Table) -> dict[str, PermittedRow]:
        """Who stands on the whole list: whom the plan brings and whom it leaves there, as far as
        permitted now. Who is permitted again only since the plan waits for the next: this plan took
        them off, or has no receipt for them. Rows without their answer yet are in no plan.
        """
        hashes, actions = (planned.column(n).to_pylist() for n in ("identifier_hash", "action"))
        brought = {h for h, action in zip(hashes, actions, strict=True) if action != "remove"}
        with open_state(self.env) as state:
            held = state.execute(
                "select identifier_hash from sync_acknowledged where sync_id = $sync union "
                "select identifier_hash from sync_submitted join sync_plan_rows "
                "using (plan_id, row_number) where sync_id = $sync and action <> 'remove' except "
                "select identifier_hash from sync_submitted join sync_plan_rows "
                "using (plan_id, row_number) where sync_id = $sync and action = 'remove'",
                {"sync": self.sender.plan.sync_id},
            ).fetchall()
        listed = ({row[0] for row in held} - set(hashes)) | brought
        return {h: row for h, row in self.evaluation.permitted().items() if h in listed}

    def members(self, planned: pa.Table) -> None:
        """Removes first, then adds and updates, in batches; each batch is one kind."""
        is_remove = pc.equal(planned.column("action"), "remove")
        leaving, coming = planned.filter(is_remove), planned.filter(pc.invert(is_remove))
        if planned.num_rows:
            self.channel.prepare(sorted(self.evaluation.sync.fields))
        for batch in self._batches(leaving):
            self._remove(batch)
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
                [self.sender.plan.sync_id, leaving.column("identifier_hash").to_pylist()],
            ).to_arrow_table()
        keys = pa.chunked_array(
            [*held.column("remote_id").chunks, *held.column("handle").chunks], pa.string()
        )
        must_wait = pc.or_(
            pc.is_in(coming.column("identifier_hash"), value_set=held.column("identifier_hash")),
            pc.is_in(coming.column("remote_id"), value_set=keys.drop_null()),
        )
        self.sender.leave(coming.filter(must_wait), _REMOVED_FIRST)
        return coming.filter(pc.invert(must_wait))

    def messages(self, planned: pa.Table, policy: PolicyFile, time_zone: str) -> None:
        """One message a row, those that may go out now; the others are deferred or expired."""
        planned = self._timely(planned, policy, time_zone)
        planned = self._without_capped(planned, policy, self.sender.moment)
        if planned.num_rows:
            self.channel.prepare(sorted(self.evaluation.sync.fields))
        for batch in self._batches(planned):
            # The hours may end, and an entry grow stale, while the batches before it go out.
            if (timely := self._timely(batch, policy, time_zone)).num_rows:
                self._permitted(timely, self.channel.send)

    def _timely(self, planned: pa.Table, policy: PolicyFile, time_zone: str) -> pa.Table:
        """Those that may go out at this moment; the others are deferred or expired."""
        moment = self.sender.moment
        opening = next_opening(sync_windows(self.evaluation.sync, policy), moment, time_zone)
        on_enter = self.evaluation.sync.on_enter
        limit = on_enter.valid_for_hours * 3600 if on_enter else 0
        seconds = pc.seconds_between(planned.column("entered_at"), pa.scalar(moment))
        is_fresh = pc.less(seconds, limit)
        self.sender.leave(planned.filter(pc.invert(is_fresh)), Outcome("dropped", "expired"))
        planned = planned.filter(is_fresh)
        if opening is not None:
            times = [opening] * planned.num_rows
            self.sender.leave(planned, Outcome("deferred", "quiet_hours"), not_before=times)
            return planned.slice(0, 0)
        return planned

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
        self.sender.leave(waiting, Outcome("deferred", "frequency_cap"), not_before=times)
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
        self.sender.send(rows, self.channel.remove)

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
            self.sender.leave(
                batch.filter(pc.is_in(batch.column("row_number"), value_set=gone)), _NOT_WANTED
            )
        self.sender.send(rows, act)
