"""`published/operations.duckdb`: what the pipeline did, for readers. Replaced whole, atomically.

Only the columns of `docs/marts.md` leave state (and the few named here); a table that does not
exist yet is published empty, so that a dashboard can be built before its first row.
"""

import os
from collections.abc import Mapping

import duckdb

from khach.environment import Environment
from khach.runs import utc_now
from khach.state import open_state

_TABLES: Mapping[str, str] = {
    "runs": "run_id varchar, started_at timestamp, ended_at timestamp, stage varchar, "
    "status varchar, message varchar, as_of timestamp",
    "data_quality": "run_id varchar, load_id varchar, source varchar, table_name varchar, "
    "rows_offered bigint, rows_landed bigint, rows_duplicate bigint, rows_quarantined bigint, "
    "rows_filtered bigint, rows_in_marts bigint, gate varchar, status varchar, message varchar",
    "loads": "source varchar, load_id varchar, landed_at timestamp, verdict varchar, "
    "judged_at timestamp, judged_by varchar, reason varchar",
    "schema_changes": "source varchar, load_id varchar, table_name varchar, column_name varchar, "
    "old_type varchar, new_type varchar",
    "check_results": "run_id varchar, check_name varchar, stage varchar, source varchar, "
    "table_name varchar, rule varchar, load_id varchar, snapshot_id varchar, is_success boolean, "
    "severity varchar, failed_count bigint, checked_at timestamp",
    "snapshots": "snapshot_id varchar, run_id varchar, as_of timestamp, published_at timestamp, "
    "is_green boolean",
    "audience_membership": "audience varchar, sync_id varchar, customer_id varchar, "
    "valid_from timestamp, valid_to timestamp, reason_code varchar",
    "call_list_entries": "sync_id varchar, audience varchar, customer_id varchar, "
    "receipt_id varchar, listed_at timestamp, unlisted_at timestamp",
    "holdouts": 'audience varchar, customer_id varchar, "group" varchar, assigned_at timestamp, '
    "salt_version integer",
    "messages": "sync_id varchar, customer_id varchar, entry_id varchar, status varchar, "
    "audience varchar, consent_channel varchar, purpose varchar, plan_id varchar, handle varchar, "
    "sent_at timestamp, settled_at timestamp",
    "offer_codes": "offer_code varchar, audience varchar, customer_id varchar, "
    "valid_from timestamp, valid_until timestamp",
    "sync_plans": "plan_id varchar, sync_id varchar, audience varchar, channel varchar, "
    "snapshot_id varchar, created_at timestamp, status varchar, blocked_by varchar, "
    "accepted_by varchar, add_count bigint, update_count bigint, remove_count bigint, "
    "unchanged_count bigint, excluded_count bigint, estimated_cost_amount decimal(18, 4)",
    "sync_matches": "sync_id varchar, audience varchar, channel varchar, plan_id varchar, "
    "measured_at timestamp, matched_at_least bigint, matched_at_most bigint, sent_count bigint, "
    "audience_size bigint",
    "sync_receipts": "receipt_id varchar, plan_id varchar, sync_id varchar, customer_id varchar, "
    "action varchar, status varchar, payload_hash varchar, consent_id varchar, "
    "remote_id varchar, vendor_code varchar, vendor_message varchar, attempted_at timestamp, "
    "settled_at timestamp, not_before timestamp",
}


def publish_operations(env: Environment) -> None:
    """Write operations.duckdb from state and swap it in; readers of the old one keep reading.

    Called at the end of every run, plan, apply and reconcile, failed ones too.
    """
    env.published.mkdir(parents=True, exist_ok=True)
    fresh = env.published / f".operations.{os.getpid()}.partial"
    _remove(env)
    with open_state(env) as state:
        notice_older_state(env, state)
        file = str(fresh).replace("'", "''")
        # In the format that the older DuckDB of a BI tool reads, too; state is in a newer one.
        state.execute(f"attach '{file}' as operations (storage_version 'v1.0.0')")
        for name, columns in _TABLES.items():
            state.execute(f"create table operations.main.{name} ({columns})")
            _fill(state, name)
        state.execute("checkpoint operations")
        state.execute("detach operations")
    descriptor = os.open(fresh, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    fresh.replace(env.operations)


def notice_older_state(env: Environment, state: duckdb.DuckDBPyConnection) -> None:
    """Record in state that it was put back: readers have plans that it does not know."""
    if not env.operations.exists():
        return
    file = str(env.operations).replace("'", "''")
    state.execute(f"attach '{file}' as published (read_only)")
    try:
        row = state.execute(
            "select count(*) from published.main.sync_plans "
            f"where plan_id not in (select plan_id from {state_catalog(state)}.main.sync_plans)"
        ).fetchone()
        if row and row[0]:
            state.execute(
                "insert into restores values (?, 'older than what readers have')", [utc_now()]
            )
    finally:
        state.execute("detach published")


def _fill(state: duckdb.DuckDBPyConnection, name: str) -> None:
    """Copy the columns that state has under the same name; the others stay null."""
    held = _columns(state, state_catalog(state), name)
    shared = [column for column in _columns(state, "operations", name) if column in held]
    if not shared:
        return
    listed = ", ".join(f'"{column}"' for column in shared)
    state.execute(
        f"insert into operations.main.{name} ({listed}) "
        f"select {listed} from {state_catalog(state)}.main.{name}"
    )


def state_catalog(state: duckdb.DuckDBPyConnection) -> str:
    """The catalog name DuckDB gave to the state file."""
    row = state.execute("select current_database()").fetchone()
    return str(row[0]) if row else "state"


def _columns(state: duckdb.DuckDBPyConnection, catalog: str, table: str) -> list[str]:
    rows = state.execute(
        "select column_name from duckdb_columns() where database_name = ? "
        "and schema_name = 'main' and table_name = ? order by column_index",
        [catalog, table],
    ).fetchall()
    return [str(row[0]) for row in rows]


def _remove(env: Environment) -> None:
    """What a killed process left, together with its write-ahead log."""
    for path in env.published.glob(".operations.*"):
        path.unlink(missing_ok=True)
