"""What activation keeps in state: plans, intents, receipts, acknowledged members, holdouts.

Ids, hashes, counts and reasons only. Every function takes an open state connection; callers open
it late and close it early, so that a long send holds no lock.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from khach.config_files import suggest
from khach.errors import ConfigError
from khach.runs import utc_now

State = duckdb.DuckDBPyConnection


@dataclass(frozen=True)
class PlanRecord:
    """A stored plan; `figures` holds counts per reason, size and the tripped guards."""

    plan_id: str
    sync_id: str
    audience: str
    channel: str
    snapshot_id: str
    as_of: datetime
    created_at: datetime
    status: str
    blocked_by: tuple[str, ...]
    accepted_by: str | None
    add_count: int
    update_count: int
    remove_count: int
    unchanged_count: int
    excluded_count: int
    fingerprint: str
    figures: dict[str, Any]
    started_at: datetime | None = None


@dataclass(frozen=True)
class Inputs:
    """What state knows before a plan: Arrow tables, and the size of the last applied plan."""

    acknowledged: pa.Table
    holdouts: pa.Table
    open_reasons: pa.Table
    last_size: int | None


def read_inputs(state: State, audience: str, sync_id: str) -> Inputs:
    """Everything of one sync that a plan depends on; `last_size` null: none was ever applied."""
    row = state.execute(
        "select cast(figures ->> 'size' as bigint) from sync_plans where sync_id = ? and status in "
        "('applied', 'partly_applied') order by created_at desc, plan_id desc limit 1",
        [sync_id],
    ).fetchone()
    return Inputs(
        acknowledged=state.execute(
            "select customer_id, identifier_hash, remote_id, payload_hash, field_hashes "
            "from sync_acknowledged where sync_id = ?",
            [sync_id],
        ).to_arrow_table(),
        holdouts=state.execute(
            'select customer_id, "group" from holdouts where audience = ?', [audience]
        ).to_arrow_table(),
        open_reasons=state.execute(
            "select customer_id, reason_code from audience_membership "
            "where audience = ? and sync_id = ? and valid_to is null",
            [audience, sync_id],
        ).to_arrow_table(),
        last_size=int(row[0]) if row else None,
    )


def store_plan(state: State, plan: PlanRecord, rows: pa.Table) -> None:
    """Store a plan with its rows; earlier plans of the sync not yet applied are superseded."""
    state.execute("begin")
    state.execute(
        "update sync_plans set status = 'superseded' "
        "where sync_id = ? and status in ('ready', 'blocked')",
        [plan.sync_id],
    )
    state.execute(
        "insert into sync_plans (plan_id, sync_id, audience, channel, snapshot_id, as_of, "
        "created_at, status, blocked_by, add_count, update_count, remove_count, unchanged_count, "
        "excluded_count, fingerprint, figures) "
        "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            plan.plan_id, plan.sync_id, plan.audience, plan.channel, plan.snapshot_id, plan.as_of,
            plan.created_at, plan.status, ",".join(plan.blocked_by) or None, plan.add_count,
            plan.update_count, plan.remove_count, plan.unchanged_count, plan.excluded_count,
            plan.fingerprint, json.dumps(plan.figures, sort_keys=True),
        ],
    )  # fmt: skip
    state.register("new_rows", rows)
    state.execute(
        "insert into sync_plan_rows by name select ?::varchar as plan_id, * from new_rows",
        [plan.plan_id],
    )
    state.unregister("new_rows")
    state.execute("commit")


def read_plan(state: State, plan_id: str) -> PlanRecord:
    """A stored plan; ConfigError naming the newest ones when there is none of that id."""
    columns = (
        "plan_id, sync_id, audience, channel, snapshot_id, as_of, created_at, status, blocked_by, "
        "accepted_by, add_count, update_count, remove_count, unchanged_count, excluded_count, "
        "fingerprint, figures, started_at"
    )
    row = state.execute(f"select {columns} from sync_plans where plan_id = ?", [plan_id]).fetchone()
    if row is None:
        known = state.execute("select plan_id from sync_plans order by created_at desc limit 5")
        fix = suggest(plan_id, [str(r[0]) for r in known.fetchall()])
        raise ConfigError(f"there is no plan {plan_id!r}", fix=fix or "khach plan makes one")
    values = dict(zip(columns.split(", "), row, strict=True))
    values["blocked_by"] = tuple(filter(None, (values["blocked_by"] or "").split(",")))
    values["figures"] = json.loads(values["figures"])
    return PlanRecord(**values)


def start_plan(
    state: State, plan: PlanRecord, accepted_by: str | None, reasons: pa.Table, holdouts: pa.Table
) -> None:
    """Record, in one transaction, that a plan goes out: who released it, reasons, new holdouts.

    `reasons`: customer_id, reason_code (null: no longer a candidate) of those that changed.
    `holdouts`: customer_id, group of those that have no record yet.
    """
    state.execute("begin")
    state.execute(
        "update sync_plans set started_at = ?, accepted_by = ? where plan_id = ?",
        [utc_now(), accepted_by, plan.plan_id],
    )
    state.register("new_holdouts", holdouts)
    state.execute(
        'insert into holdouts select ?, customer_id, "group", ?, ? from new_holdouts '
        "on conflict do nothing",
        [plan.audience, plan.as_of, plan.figures["salt_version"]],
    )
    state.register("new_reasons", reasons)
    key = [plan.audience, plan.sync_id]
    # An interval that would have no length (the same as_of judged again) is replaced.
    state.execute(
        "delete from audience_membership where audience = ? and sync_id = ? and valid_to is null "
        "and valid_from >= ? and customer_id in (select customer_id from new_reasons)",
        [*key, plan.as_of],
    )
    state.execute(
        "update audience_membership set valid_to = ? where audience = ? and sync_id = ? "
        "and valid_to is null and customer_id in (select customer_id from new_reasons)",
        [plan.as_of, *key],
    )
    state.execute(
        "insert into audience_membership select ?, ?, customer_id, ?, null, reason_code "
        "from new_reasons where reason_code is not null",
        [*key, plan.as_of],
    )
    state.unregister("new_reasons")
    state.unregister("new_holdouts")
    state.execute("commit")


def open_intents(state: State, plan: PlanRecord, row_numbers: Sequence[int]) -> None:
    """Make durable that these rows are about to be sent."""
    state.register("going", pa.table({"row_number": pa.array(row_numbers, pa.int64())}))
    state.execute(
        "insert into sync_intents select ?, row_number, ?, ? from going",
        [plan.plan_id, plan.sync_id, utc_now()],
    )
    state.unregister("going")


def record_outcomes(state: State, plan_id: str, outcomes: pa.Table) -> None:
    """Close intents: receipts, and acknowledged members moved row by row, in one transaction.

    `outcomes`: row_number, status, code, message, is_confirmed (whether the payload is known to
    be there). Rows without an answer are not in the table: their intents stay open.
    """
    state.register("answered", outcomes)
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
        """,
        {"plan": plan_id},
    )
    state.execute(
        "insert into sync_receipts select plan_id || '-' || row_number, plan_id, sync_id, "
        "customer_id, action, status, payload_hash, consent_id, remote_id, code, message, "
        "opened_at, ? from settled",
        [utc_now()],
    )
    state.execute(
        "delete from sync_acknowledged where (sync_id, identifier_hash) in "
        "(select (sync_id, identifier_hash) from settled where status = 'acknowledged')"
    )
    state.execute(
        "insert into sync_acknowledged select sync_id, customer_id, identifier_hash, remote_id, "
        "if(is_confirmed, payload_hash, null), if(is_confirmed, field_hashes, null), ? "
        "from settled where status = 'acknowledged' and action <> 'remove'",
        [utc_now()],
    )
    state.execute(
        "delete from sync_intents where plan_id = ? and row_number in "
        "(select row_number from settled)",
        [plan_id],
    )
    state.execute("drop table settled")
    state.execute("commit")
    state.unregister("answered")


def end_plan(state: State, plan_id: str) -> str:
    """Close a plan: applied when every row was acknowledged, else partly_applied. Returns it."""
    row = state.execute(
        "update sync_plans set ended_at = ?, status = if((select count(*) from sync_receipts as r "
        "where r.plan_id = sync_plans.plan_id and r.status = 'acknowledged') = "
        "add_count + update_count + remove_count, 'applied', 'partly_applied') "
        "where plan_id = ? returning status",
        [utc_now(), plan_id],
    ).fetchone()
    return str(row[0]) if row else "superseded"


def count_receipts(state: State, plan_id: str) -> dict[str, int]:
    """Receipts of a plan per status."""
    found = state.execute(
        "select status, count(*) from sync_receipts where plan_id = ? group by 1 order by 1",
        [plan_id],
    ).fetchall()
    return dict(found)


def outcome_table(rows: Sequence[tuple[int, str, str | None, str | None, bool]]) -> pa.Table:
    """The Arrow form that `record_outcomes` takes."""
    types = (pa.int64(), pa.string(), pa.string(), pa.string(), pa.bool_())
    names = ("row_number", "status", "code", "message", "is_confirmed")
    arrays = [pa.array([row[i] for row in rows], types[i]) for i in range(len(types))]
    return pa.Table.from_arrays(arrays, names=list(names))
