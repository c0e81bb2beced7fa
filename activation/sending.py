"""One batch on its way to the channel: its intents, the send, halving, and the answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from activation.channels.base import Batch, BatchRejectedError, Channel, Outcome, Row
from activation.evaluation import Evaluation
from activation.intents import open_intents, record_without_sending
from activation.leases import Lease
from activation.ledger import PlanRecord
from activation.outcomes import record_outcomes
from khach.clock import now
from khach.environment import Environment
from khach.errors import BusyError
from khach.state import open_state


@dataclass(frozen=True)
class Sender:
    """Sends rows of a started plan; every method leaves state whole at every line."""

    env: Environment
    plan: PlanRecord
    evaluation: Evaluation
    channel: Channel
    lease: Lease
    # Row numbers of members whom the channel acknowledged before.
    updates: frozenset[int] = frozenset()

    @property
    def moment(self) -> datetime:
        """The business's clock, naive UTC."""
        return now(self.env).astimezone(UTC).replace(tzinfo=None)

    def send(self, rows: dict[int, Row], act: Callable[[Batch[Row]], list[Outcome]]) -> None:
        """One batch with its intents, and its answers recorded."""
        if rows:
            self.intend([list(rows)])
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
                self.record([(numbers[0], problem.outcome)])
                return
            middle = len(numbers) // 2
            halves = [numbers[:middle], numbers[middle:]]
            self.intend(halves)
            for half in halves:
                self._send_intended({number: rows[number] for number in half}, act)
            return
        self.record(list(zip(numbers, outcomes, strict=True)))

    def _batch_id(self, numbers: Sequence[int]) -> str:
        return f"{self.plan.plan_id}-b{numbers[0]}-{len(numbers)}"

    def intend(self, batches: Sequence[Sequence[int]]) -> None:
        """Make durable, under our lease, that these row numbers go out as these batches."""
        with open_state(self.env) as state:
            self.lease.renew(state)
            open_intents(
                state, self.plan, {self._batch_id(numbers): numbers for numbers in batches},
                at=self.moment,
                consent_channel=self.evaluation.sync.consent,
                purpose=self.evaluation.audience.purpose,
            )  # fmt: skip

    def record(self, answers: Sequence[tuple[int, Outcome]]) -> None:
        """Write what was answered. Raises BusyError when a row has no answer: the apply stops."""
        with open_state(self.env) as state:
            record_outcomes(state, self.plan.plan_id, answers)
        silent = sum(outcome.status == "unanswered" for _, outcome in answers)
        if silent:
            raise BusyError(
                f"{self.plan.channel} gave no answer for {silent} rows",
                fix="try again later; the next run first settles what was under way",
            )

    def leave(
        self, planned: pa.Table, outcome: Outcome, *, not_before: Sequence[datetime] = ()
    ) -> None:
        """Rows that are not sent now: a receipt says why, and the next plan looks again."""
        if planned.num_rows:
            with open_state(self.env) as state:
                numbers = planned.column("row_number").to_pylist()
                record_without_sending(state, self.plan, numbers, outcome, not_before)
