"""The facts of the last run, gathered once for `khach status`, the run's summary and the report.

Everything is read from what is published (marts and operations), never from the working files, so
that it also answers while a run goes on. No personal data: counts, ids of runs and plans, figures.
"""

import json
from typing import Any

import duckdb

from khach.environment import Environment
from khach.publishing import current_snapshot
from khach.quality import accounts
from khach.readers import read_only_session

Facts = dict[str, Any]


def overview(env: Environment) -> Facts:
    """Run, rows per source, gates, snapshot, customers, segments, plans with receipts.

    Raises KhachError when nothing was ever run here.
    """
    with read_only_session(env) as connection:
        has_operations = _has(connection, "data_quality")
        run = last_run(connection) if has_operations else None
        return {
            "run": run,
            "rows": [account.as_dict() for account in accounts(connection)]
            if has_operations
            else [],
            "gates": gates(connection, run["run_id"] if run else None) if has_operations else None,
            "loads": _records(
                connection,
                "select verdict, count(*) as loads from loads group by all order by all",
            )
            if has_operations
            else [],
            "schema_changes": schema_changes(connection, run) if has_operations else [],
            "snapshot": snapshot(env, connection),
            "plans": latest_plans(connection) if has_operations else [],
        }


def last_run(connection: duckdb.DuckDBPyConnection) -> Facts | None:
    """The newest run with its stages; times are UTC, durations seconds."""
    stages = _records(
        connection,
        "select stage, status, message, started_at, ended_at, run_id, as_of, "
        "round(epoch(ended_at - started_at), 1) as seconds from runs "
        "where run_id = (select max_by(run_id, started_at) from runs) order by started_at, stage",
    )
    if not stages:
        return None
    whole = next((row for row in stages if row["stage"] == "run"), stages[0])
    return {key: whole[key] for key in
            ("run_id", "status", "message", "started_at", "ended_at", "as_of", "seconds")} | {
        "stages": [
            {key: row[key] for key in ("stage", "status", "seconds", "message")}
            for row in stages
            if row["stage"] != "run"
        ]
    }  # fmt: skip


def schema_changes(connection: duckdb.DuckDBPyConnection, run: Facts | None) -> list[Facts]:
    """Columns that the loads of the last run brought first, or with another type than before."""
    if run is None or not _has(connection, "schema_changes"):
        return []
    return _records(
        connection,
        "select source, table_name, column_name, old_type, new_type, load_id from schema_changes "
        "join loads using (source, load_id) "
        f"where landed_at >= timestamp {_text(str(run['started_at']))} order by all",
    )


def gates(connection: duckdb.DuckDBPyConnection, run_id: str | None) -> Facts:
    """Checks of a run: how many passed, and each one that did not."""
    counts = _records(
        connection,
        "select count(*) as checks, count(*) filter (where is_success) as passed, "
        "count(*) filter (where not is_success and severity = 'warning') as warnings, "
        "count(*) filter (where not is_success and severity = 'error') as failed "
        f"from check_results where run_id = {_text(run_id)}",
    )[0]
    counts["not_passed"] = _records(
        connection,
        "select check_name, stage, source, table_name, rule, load_id, severity, failed_count "
        f"from check_results where run_id = {_text(run_id)} and not is_success "
        "order by severity, stage, source, table_name, check_name",
    )
    return counts


def snapshot(env: Environment, connection: duckdb.DuckDBPyConnection) -> Facts | None:
    """The published snapshot: id, run, time of the data, people, and the sizes of segments."""
    snapshot_id = current_snapshot(env)
    if snapshot_id is None:
        return None
    note = json.loads((env.published / snapshot_id / "snapshot.json").read_text(encoding="utf-8"))
    facts: Facts = {"snapshot_id": snapshot_id, "run_id": note["run_id"], "as_of": note["as_of"],
                    "customers": None, "lifecycle": [], "segments": []}  # fmt: skip
    if _has(connection, "customers"):
        facts["customers"] = _one(connection, "select count(*) from customers")
        facts["lifecycle"] = _records(
            connection,
            "select lifecycle_stage as stage, count(*) as customers from customers "
            "group by all order by customers desc, stage",
        )
    if _has(connection, "segment_membership") and _has(connection, "segments"):
        facts["segments"] = _records(
            connection,
            "select segments.segment_kind, segment_id, segment_name, "
            "count(customer_id) as customers from segments "
            "left join segment_membership using (segment_id) where valid_to is null "
            "group by all order by segment_kind, customers desc, segment_id",
        )
    if _has(connection, "orders"):
        facts["orders_without_customer"] = _one(
            connection, "select count(*) from orders where customer_id is null"
        )
    return facts


def latest_plans(connection: duckdb.DuckDBPyConnection) -> list[Facts]:
    """The newest plan of each sync, with its receipts counted by status."""
    plans = _records(
        connection,
        "select plan_id, sync_id, audience, channel, status, blocked_by, snapshot_id, created_at, "
        "add_count, update_count, remove_count, unchanged_count, excluded_count from sync_plans "
        "qualify row_number() over (partition by sync_id order by created_at desc, plan_id desc) "
        "= 1 order by sync_id",
    )
    for plan in plans:
        plan["receipts"] = {
            row["status"]: row["receipts"]
            for row in _records(
                connection,
                "select status, count(*) as receipts from sync_receipts "
                f"where plan_id = {_text(plan['plan_id'])} group by all order by all",
            )
        }
    return plans


def _has(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    return bool(
        _one(
            connection,
            f"select count(*) from duckdb_tables() where table_name = {_text(table)} "
            "and schema_name = 'main'",
        )
    )


def _records(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Facts]:
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    row = connection.execute(sql).fetchone()
    return row[0] if row else None


def _text(value: str | None) -> str:
    return "null" if value is None else "'" + value.replace("'", "''") + "'"
