"""What activation keeps in state: plans, intents, receipts, acknowledged members, holdouts.

Ids, hashes, counts and reasons only. Every function takes an open state connection; callers open
it late and close it early, so that a long send holds no lock.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from khach.config_mistakes import suggest
from khach.errors import ConfigError
from khach.runs import utc_now

_STARTED = "from sync_plans where started_at is not null"
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
    estimated_cost_amount: Decimal | None = None


@dataclass(frozen=True)
class Inputs:
    """What state knows before a plan: Arrow tables, and the size of the last applied plan.

    `in_flight`: identifier_hash and remote_id of rows whose answer is still to come. `messages`: of
    this sync, those that may have reached somebody. `restored_at`: when this state was put back, if
    no plan of the sync has been applied since. `last_destination`: where the last plan of the sync
    that was started went to, null before plans told. `newest_snapshot` and `newest_as_of`: of all
    that plans which were started have read.
    """

    acknowledged: pa.Table
    holdouts: pa.Table
    open_reasons: pa.Table
    in_flight: pa.Table
    messages: pa.Table
    offer_codes: pa.Table
    secret: str
    last_size: int | None
    last_destination: str | None
    restored_at: datetime | None
    newest_snapshot: str | None
    newest_as_of: datetime | None


def read_inputs(state: State, audience: str, sync_id: str) -> Inputs:
    """Everything of one sync that a plan depends on; `last_size` null: none was ever applied."""
    of_sync, of_audience = {"sync": sync_id}, {"audience": audience}

    def read(sql: str, values: dict[str, str]) -> pa.Table:
        return state.execute(sql, values).to_arrow_table()

    def first(sql: str, values: dict[str, str] | None = None) -> Any:
        row = state.execute(sql, values).fetchone()
        return row[0] if row else None

    return Inputs(
        acknowledged=read(
            "select customer_id, identifier_hash, remote_id, handle, payload_hash, field_hashes "
            "from sync_acknowledged where sync_id = $sync",
            of_sync,
        ),
        holdouts=read(
            'select customer_id, "group" from holdouts where audience = $audience', of_audience
        ),
        open_reasons=read(
            "select customer_id, reason_code, valid_from from audience_membership "
            "where audience = $audience and sync_id = $sync and valid_to is null",
            of_audience | of_sync,
        ),
        in_flight=read(
            "select identifier_hash, remote_id from sync_submitted join sync_plan_rows "
            "using (plan_id, row_number) where sync_id = $sync",
            of_sync,
        ),
        messages=read(
            "select customer_id, identifier_hash, entry_id, sent_at, status from messages "
            "where sync_id = $sync",
            of_sync,
        ),
        offer_codes=read(
            "select customer_id, offer_code, valid_until from offer_codes "
            "where audience = $audience",
            of_audience,
        ),
        secret=str(first("select secret from activation_secret")),
        last_size=first(
            "select cast(figures ->> 'size' as bigint) from sync_plans where sync_id = $sync "
            "and status in ('applied', 'partly_applied') "
            "order by created_at desc, plan_id desc limit 1",
            of_sync,
        ),
        last_destination=first(
            "select figures ->> 'destination' from sync_plans where sync_id = $sync "
            "and started_at is not null order by started_at desc, plan_id desc limit 1",
            of_sync,
        ),
        restored_at=first(
            "select max(restored_at) from restores having max(restored_at) > coalesce((select "
            "max(started_at) from sync_plans where sync_id = $sync), timestamp '1970-01-01')",
            of_sync,
        ),
        newest_snapshot=first(f"select max(snapshot_id) {_STARTED}"),
        newest_as_of=first(f"select max(as_of) {_STARTED}"),
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
        "excluded_count, fingerprint, figures, estimated_cost_amount) "
        "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            plan.plan_id, plan.sync_id, plan.audience, plan.channel, plan.snapshot_id, plan.as_of,
            plan.created_at, plan.status, ",".join(plan.blocked_by) or None, plan.add_count,
            plan.update_count, plan.remove_count, plan.unchanged_count, plan.excluded_count,
            plan.fingerprint, json.dumps(plan.figures, sort_keys=True), plan.estimated_cost_amount,
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
        "fingerprint, figures, started_at, estimated_cost_amount"
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


def read_plan_rows(state: State, plan_id: str, *, only_seeds: bool = False) -> pa.Table:
    """The rows of a stored plan that have no receipt yet, in order of row_number."""
    return state.execute(
        "select * from sync_plan_rows as p where plan_id = $plan and action <> 'none' "
        "and (not $seeds or starts_with(customer_id, 'seed:')) and not exists (select 1 "
        "from sync_receipts where receipt_id = p.plan_id || '-' || p.row_number) "
        "order by row_number",
        {"plan": plan_id, "seeds": only_seeds},
    ).to_arrow_table()


def start_plan(
    state: State,
    plan: PlanRecord,
    accepted_by: str | None,
    reasons: pa.Table,
    holdouts: pa.Table,
    *,
    codes_until: datetime,
) -> None:
    """Record, in one transaction, that a plan goes out: who released it, reasons, new holdouts,
    and the offer codes that its rows hand out.

    `reasons`: customer_id, reason_code (null: no longer a candidate), valid_from (null: now) of
    those that changed. `holdouts`: customer_id, group of those that have no record yet.
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
        "insert into audience_membership select ?, ?, customer_id, coalesce(valid_from, ?), null, "
        "reason_code from new_reasons where reason_code is not null",
        [*key, plan.as_of],
    )
    state.execute(
        "insert into offer_codes select offer_code, ?, any_value(customer_id), ?, ? "
        "from sync_plan_rows where plan_id = ? and offer_code is not null and action <> 'remove' "
        "group by offer_code on conflict do nothing",
        [plan.audience, plan.as_of, codes_until, plan.plan_id],
    )
    state.unregister("new_reasons")
    state.unregister("new_holdouts")
    state.execute("commit")


def end_plan(state: State, plan_id: str) -> str:
    """Close a plan: applied when the channel took every row, else partly_applied. Returns it."""
    row = state.execute(
        "update sync_plans set ended_at = ?, status = if((select count(*) from sync_receipts as r "
        "where r.plan_id = sync_plans.plan_id and r.status in ('acknowledged', 'submitted')) = "
        "(select count(*) from sync_plan_rows as p where p.plan_id = sync_plans.plan_id "
        "and p.action <> 'none'), 'applied', 'partly_applied') "
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
