"""The plan of a sync: what would change in the channel, why, and what holds it. Sends nothing."""

from collections.abc import Mapping
from datetime import UTC
from decimal import Decimal
from typing import Any

import pyarrow as pa

from activation.desired import SALT_VERSION
from activation.evaluation import Evaluation, evaluate
from activation.guards import Tripped, tripped_guards
from activation.ledger import PlanRecord, read_plan, store_plan
from activation.plan_summary import PlanSummary, summarise
from activation.recovery import settle_sync
from khach.clock import now
from khach.environment import Environment
from khach.errors import ConfigError, KhachError
from khach.operations import notice_older_state
from khach.runs import utc_now
from khach.settings import load_settings
from khach.state import open_state


def make_plan(env: Environment, sync_id: str) -> PlanSummary:
    """Plan one sync over the current snapshot and store the plan, ready or blocked.

    An interrupted apply of the sync is settled first. Raises ConfigError for a mistake in the
    audience files, the policy or a missing environment variable; KhachError when nothing is
    published; BusyError while the sync is being applied or the channel gives no answer.
    """
    return summarise(_plan(env, sync_id, with_rows=False)[0])


def plan_with_rows(env: Environment, sync_id: str) -> tuple[PlanSummary, pa.Table]:
    """As `make_plan`, with the rows as `plan_rows` gives them, from the same look at the marts."""
    record, rows = _plan(env, sync_id, with_rows=True)
    return summarise(record), rows


def _plan(env: Environment, sync_id: str, *, with_rows: bool) -> tuple[PlanRecord, pa.Table]:
    settle_sync(env, sync_id)
    # State is held from the first look to the last: opening the file each time costs the most.
    with open_state(env) as state:
        notice_older_state(env, state)
        with evaluate(env, sync_id) as evaluation:
            counts, reasons = evaluation.counts(), evaluation.reasons()
            tripped = tripped_guards(
                evaluation.audience.guards,
                counts=counts,
                withdrawn=evaluation.withdrawn_count(),
                inputs=evaluation.inputs,
                snapshot=evaluation.snapshot,
                destination=evaluation.destination,
                now=now(env).astimezone(UTC).replace(tzinfo=None),
                is_sandbox=env.is_sandbox,
                least_rows=evaluation.sync.capabilities.least_rows,
            )
            unit_costs = load_settings(env).unit_costs
            record = _record(evaluation, counts, reasons, tripped, unit_costs)
            rows = evaluation.plan_rows()
            payloads = _rows_to_send(record.plan_id, evaluation) if with_rows else pa.table({})
        store_plan(state, record, rows)
    return record, payloads


def plan_rows(env: Environment, plan_id: str) -> pa.Table:
    """The rows of a stored plan that would be sent, with their payloads, for the exit gate.

    Columns: plan_id, row_number, sync_id, audience, consent_channel, purpose, customer_id, action,
    identifier, identifier_hash, remote_id, payload_hash, consent_id, is_granted, fields (map).
    Personal data: keep it in memory. Raises KhachError when the plan's inputs have moved.
    """
    with open_state(env) as state:
        record = read_plan(state, plan_id)
    with evaluate(env, record.sync_id) as evaluation:
        require_same_inputs(record, evaluation)
        return _rows_to_send(plan_id, evaluation)


def _rows_to_send(plan_id: str, evaluation: Evaluation) -> pa.Table:
    who = "select customer_id from difference where action in ('add', 'update', 'message')"
    return evaluation.connection.execute(
        f"""
        with sent as (
            select customer_id, identifier from desired where customer_id in ({who})
        ),
        consented as (
            select consent_id, is_granted
            from consents
            where consent_id in (select consent_id from difference where action <> 'unchanged')
        )
        select
            ? as plan_id, difference.row_number, ? as sync_id, ? as audience,
            ? as consent_channel, ? as purpose, difference.customer_id, difference.action,
            sent.identifier, difference.identifier_hash, difference.remote_id,
            difference.payload_hash, difference.consent_id, consented.is_granted, payload.fields
        from difference
        left join sent
            on difference.customer_id = sent.customer_id and difference.action <> 'remove'
        left join consented on difference.consent_id = consented.consent_id
        left join ({evaluation.payload.fields_sql(who)}) as payload
            on difference.customer_id = payload.customer_id and difference.action <> 'remove'
        where difference.action <> 'unchanged'
        order by difference.row_number
        """,
        [plan_id, evaluation.sync.id, evaluation.audience.name, evaluation.sync.consent,
         evaluation.audience.purpose],
    ).to_arrow_table()  # fmt: skip


def plan_row(env: Environment, plan_id: str, row: int) -> dict[str, Any]:
    """One row of a plan with its payload, for a person's own terminal only.

    Raises ConfigError when the plan has no such row, KhachError when its inputs have moved.
    """
    rows = plan_rows(env, plan_id)
    numbers = rows.column("row_number").to_pylist()
    if row not in numbers:
        raise ConfigError(f"plan {plan_id} has no row {row}", fix=f"rows 1 to {len(numbers)}")
    found = rows.slice(numbers.index(row), 1).to_pylist()[0]
    return {**found, "fields": dict(found["fields"] or [])}


def require_same_inputs(record: PlanRecord, evaluation: Evaluation) -> None:
    """Refuse a plan whose inputs are not what they were when it was made."""
    if record.fingerprint != evaluation.fingerprint:
        raise KhachError(
            f"plan {record.plan_id} is out of date: its inputs have moved since "
            "(snapshot, audience file, policy, or what the channel acknowledged)",
            fix=f"khach plan {record.sync_id} makes a new one",
        )


def _record(
    evaluation: Evaluation,
    counts: dict[str, int],
    reasons: dict[str, int],
    tripped: list[Tripped],
    unit_costs: Mapping[str, Decimal],
) -> PlanRecord:
    at = utc_now()
    cost = unit_costs.get("message", unit_costs.get(evaluation.sync.consent))
    if not evaluation.sync.is_message:
        cost = None
    return PlanRecord(
        plan_id=f"p{at:%Y%m%dT%H%M%S%f}-{evaluation.sync.id}",
        sync_id=evaluation.sync.id,
        audience=evaluation.audience.name,
        channel=evaluation.sync.channel,
        snapshot_id=evaluation.snapshot.snapshot_id,
        as_of=evaluation.snapshot.as_of,
        created_at=at,
        status="blocked" if tripped else "ready",
        blocked_by=tuple(guard.guard for guard in tripped),
        accepted_by=None,
        add_count=counts["add"] + counts["message"],
        update_count=counts["update"],
        remove_count=counts["remove"],
        unchanged_count=counts["unchanged"],
        excluded_count=sum(reasons.values()),
        estimated_cost_amount=None if cost is None else cost * counts["message"],
        fingerprint=evaluation.fingerprint,
        figures={
            "reasons": reasons,
            "kind": evaluation.sync.kind,
            "destination": evaluation.destination,
            "examples": evaluation.examples(),
            "size": counts["add"] + counts["update"] + counts["message"] + counts["unchanged"],
            "tripped": [guard.as_dict() for guard in tripped],
            "salt_version": SALT_VERSION,
        },
    )
