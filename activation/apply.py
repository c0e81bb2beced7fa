"""Apply exactly one stored plan, or refuse; every row that leaves has a receipt."""

import getpass
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from activation.audiences import load_audiences
from activation.call_lists import record_call_list
from activation.channels import make_channel
from activation.channels.base import resolve_remote
from activation.delivery import Delivery
from activation.evaluation import Evaluation, evaluate
from activation.fields import offer_end
from activation.guards import GUARDS, Tripped, stale_input
from activation.leases import hold_lease
from activation.ledger import (
    PlanRecord,
    count_receipts,
    end_plan,
    read_plan,
    read_plan_rows,
    start_plan,
)
from activation.matches import record_match
from activation.plan import require_same_inputs
from activation.policy import PolicyFile, load_policy
from activation.recovery import settle_sync
from activation.sending import Sender
from activation.suppression import push_suppressions
from khach.clock import now
from khach.config_mistakes import suggest
from khach.environment import Environment
from khach.errors import ConfigError, GateError, KhachError
from khach.settings import load_settings
from khach.state import open_state


@dataclass(frozen=True)
class ApplySummary:
    """What became of a plan: receipts per status, and withdrawals carried to the channel."""

    plan_id: str
    sync_id: str
    status: str
    receipts: dict[str, int]
    unsubscribed_count: int

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    def text(self) -> str:
        """One line for people."""
        counts = ", ".join(f"{count:,} {status}" for status, count in self.receipts.items())
        pushed = f"; {self.unsubscribed_count:,} unsubscribed" if self.unsubscribed_count else ""
        return f"{self.plan_id} {self.status}: {counts or 'nothing to send'}{pushed}"


def apply_plan(
    env: Environment, plan_id: str, accept: Sequence[str] = (), *, only_seeds: bool = False
) -> ApplySummary:
    """Carry withdrawals, then execute a stored plan, row by row acknowledged.

    `only_seeds`: a test send to own staff; the plan stays open, and guards do not hold it.

    Raises ConfigError for an unknown plan, guard or variable; GateError when a guard holds the plan
    and is not in `accept` (withdrawals have gone out all the same); KhachError when the inputs
    moved or the plan is over; BusyError when another apply runs or the channel stops answering.
    """
    with open_state(env) as state:
        plan = read_plan(state, plan_id)
    _require_known(accept)
    audience, sync = load_audiences(env).find_sync(plan.sync_id)
    remote = resolve_remote(sync.capabilities, sync.remote, sync.id)
    channel = make_channel(env, sync.channel, sync.remote, sync.id)
    with hold_lease(env, sync.id) as lease:
        settle_sync(env, sync.id, is_leased=True, is_applying=True)
        with open_state(env) as state:
            plan = read_plan(state, plan_id)
        _require_open(plan)
        unsubscribed = 0
        policy = load_policy(env)
        if sync.capabilities.can_suppress:
            unsubscribed = push_suppressions(
                env, audience, sync, channel=channel, policy=policy, remote=remote, lease=lease
            )
        if not only_seeds:
            _require_released(plan, accept)
        with ExitStack() as looking:
            with open_state(env) as state:  # let go again before the channel is asked
                evaluation = looking.enter_context(evaluate(env, sync.id))
                require_same_inputs(plan, evaluation)
                if not only_seeds:
                    plan = _still_fresh(env, plan, evaluation)
                    _require_released(plan, accept)
                    _start(state, plan, evaluation, accept)
                planned = read_plan_rows(state, plan_id, only_seeds=only_seeds)
            updates = planned.filter(pc.equal(planned.column("action"), "update"))
            numbers = frozenset(updates.column("row_number").to_pylist())
            sender = Sender(env, plan, evaluation, channel, lease, numbers)
            delivery = Delivery(env, evaluation, channel, sender)
            _deliver(delivery, planned, policy.rules, only_seeds=only_seeds)
        if not only_seeds:  # before the plan is over: what dies here is settled by the next run
            record_call_list(env, audience, sync, now(env))
        with open_state(env) as state:
            status = plan.status if only_seeds else end_plan(state, plan_id)
            counts = count_receipts(state, plan_id)
        if not only_seeds and not sync.is_message:
            record_match(env, sync.id, channel)
    return ApplySummary(plan_id, sync.id, status, counts, unsubscribed)


def _deliver(
    delivery: Delivery, planned: pa.Table, policy: PolicyFile, *, only_seeds: bool
) -> None:
    if delivery.evaluation.sync.capabilities.is_whole_file:
        if only_seeds:
            raise KhachError("a whole list has no test send", fix="khach show PLAN ROW shows a row")
        delivery.whole_file(planned)
    elif delivery.evaluation.sync.is_message:
        time_zone = load_settings(delivery.env).business_time_zone
        delivery.messages(planned, policy, time_zone)
    else:
        delivery.members(planned)


def receipts(env: Environment, plan_id: str | None = None) -> list[dict[str, Any]]:
    """Receipts of a plan, or the newest thousand of all; no personal data."""
    with open_state(env) as state:
        if plan_id is not None:
            read_plan(state, plan_id)
        found = state.execute(
            "select * from sync_receipts where $plan is null or plan_id = $plan "
            "order by attempted_at desc, receipt_id limit if($plan is null, 1000, null)",
            {"plan": plan_id},
        ).to_arrow_table()
    return found.to_pylist()


def _require_known(accept: Sequence[str]) -> None:
    for guard in accept:
        if guard not in GUARDS:
            raise ConfigError(f"there is no guard {guard!r}", fix=suggest(guard, GUARDS))


def _require_open(plan: PlanRecord) -> None:
    if plan.status not in ("ready", "blocked"):
        raise KhachError(
            f"plan {plan.plan_id} is {plan.status}",
            fix=f"khach plan {plan.sync_id} makes a new one",
        )


def _require_released(plan: PlanRecord, accept: Sequence[str]) -> None:
    held = [guard for guard in plan.figures["tripped"] if guard["guard"] not in accept]
    if held:
        names = " ".join(f"--accept {guard}" for guard in plan.blocked_by)
        raise GateError(
            f"plan {plan.plan_id} is blocked\n"
            + "\n".join(f"  {Tripped(**guard).text()}" for guard in held),
            fix=f"look at its rows (khach show), then khach apply {plan.plan_id} {names}",
        )


def _still_fresh(env: Environment, plan: PlanRecord, evaluation: Evaluation) -> PlanRecord:
    """The plan, held by `stale_input` where that has come true since it was made."""
    stale = stale_input(
        evaluation.audience.guards,
        inputs=evaluation.inputs,
        snapshot=evaluation.snapshot,
        now=now(env).astimezone(UTC).replace(tzinfo=None),
    )
    if stale is None or stale.guard in plan.blocked_by:
        return plan
    tripped = [*plan.figures["tripped"], stale.as_dict()]
    return replace(
        plan,
        blocked_by=(*plan.blocked_by, stale.guard),
        figures=plan.figures | {"tripped": tripped},
    )


def _start(
    state: duckdb.DuckDBPyConnection,
    plan: PlanRecord,
    evaluation: Evaluation,
    accept: Sequence[str],
) -> None:
    released = [guard for guard in plan.blocked_by if guard in accept]
    accepted_by = f"{getpass.getuser()}: {', '.join(released)}" if released else None
    start_plan(
        state,
        plan,
        accepted_by,
        evaluation.changed_reasons(),
        evaluation.new_holdouts(),
        codes_until=offer_end(evaluation.audience, plan.as_of),
    )
