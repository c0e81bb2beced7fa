"""Verdicts on loads: `loads` and `load_tables` in the state file, filled from the lake.

What landed is read from the lake's own commit records, so that a load that landed just before a
kill is known to the next run.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from ingestion import lake
from ingestion.contract import read_changes
from ingestion.parquet import constant
from ingestion.spec import Delivery
from khach.errors import KhachError
from khach.runs import utc_now
from khach.state import open_state

if TYPE_CHECKING:
    import duckdb

    from khach.environment import Environment

Counts = tuple[int, int, int]  # rows offered, landed and quarantined


def accept(env: Environment, source: str, load_id: str, by: str, reason: str) -> None:
    """Let the models see a load; KhachError when it has not landed."""
    _judge(env, source, load_id, verdict="accepted", by=by, reason=reason)


def reject(env: Environment, source: str, load_id: str, by: str, reason: str) -> None:
    """Keep a load from the models; KhachError when it has not landed."""
    _judge(env, source, load_id, verdict="rejected", by=by, reason=reason)


def record_landed(env: Environment, source: str) -> dict[str, dict[str, Counts]]:
    """Write committed loads that the state file does not know yet, as `pending`; idempotent.

    What was written: load id -> table -> counts.
    """
    with open_state(env) as state:
        return _record_landed(env, state, source)


def _record_landed(
    env: Environment, state: duckdb.DuckDBPyConnection, source: str
) -> dict[str, dict[str, Counts]]:
    written = {}
    known = _known(state, source)
    committed = {load.load_id: load for load in lake.committed_loads(env, source, known)}
    for load_id in sorted(set(committed) - set(known), key=float):
        found = lake.deliveries(env, source, [load_id], state)
        written[load_id] = table_counts(found)
        state.execute("begin")
        landed_at = committed[load_id].landed_at
        state.execute(
            "insert into loads (source, load_id, landed_at, verdict) values "
            + _row(source, load_id, landed_at, "pending")
        )
        for table, numbers in written[load_id].items():
            state.execute(
                "insert into load_tables (source, load_id, table_name, rows_offered, "
                "rows_landed, rows_quarantined) values " + _row(source, load_id, table, *numbers)
            )
        for _, one in found:
            for change in read_changes(one.table_name, one.columns) if one.columns else ():
                place = (change.table, change.column, change.old_type, change.new_type)
                state.execute(f"insert into schema_changes values {_row(source, load_id, *place)}")
        state.execute("commit")
    return written


def landed_loads(env: Environment, source: str) -> list[str]:
    """The ids of the committed loads, oldest first, as the lake says."""
    with open_state(env) as state:
        known = _known(state, source)
    return [load.load_id for load in lake.committed_loads(env, source, known)]


def told(env: Environment, source: str) -> tuple[list[tuple[str, Delivery]], set[str]]:
    """What the committed loads tell of their deliveries, and which loads are rejected."""
    with open_state(env) as state:
        committed = lake.committed_loads(env, source, _known(state, source))
        found = lake.deliveries(env, source, [load.load_id for load in committed], state)
        return found, _with_verdict(state, source, "rejected")


def without_verdict(env: Environment, source: str | None = None) -> list[tuple[str, str]]:
    """(source, load id) of the loads that await a verdict, oldest first."""
    with open_state(env) as state:
        return state.execute(
            "select source, load_id from loads where verdict = 'pending' "
            "and source = coalesce(?, source) order by source, landed_at, load_id",
            [source],
        ).fetchall()


def verdict(env: Environment, source: str, load_id: str) -> str | None:
    """What was said of a load; None when there is no such load."""
    with open_state(env) as state:
        row = state.execute(
            "select verdict from loads where source = ? and load_id = ?", [source, load_id]
        ).fetchone()
    return str(row[0]) if row else None


def rejected(env: Environment, source: str) -> set[str]:
    """The rejected loads of a source."""
    with open_state(env) as state:
        return _with_verdict(state, source, "rejected")


def accepted(env: Environment, source: str) -> set[str]:
    """The accepted loads of a source."""
    with open_state(env) as state:
        return _with_verdict(state, source, "accepted")


def table_counts(
    deliveries: Iterable[tuple[str, Delivery]],
) -> dict[str, Counts]:
    """Rows offered, landed and quarantined per table."""
    counts: dict[str, Counts] = {}
    for _, found in deliveries:
        offered, landed, quarantined = counts.get(found.table_name, (0, 0, 0))
        counts[found.table_name] = (
            offered + found.rows_offered,
            landed + found.rows_landed,
            quarantined + found.rows_quarantined,
        )
    return counts


def _known(state: duckdb.DuckDBPyConnection, source: str) -> dict[str, datetime]:
    query = f"select load_id, landed_at from loads where source = {constant(source)}"
    return dict(state.execute(query).fetchall())


def _row(*values: str | int | datetime | None) -> str:
    return f"({', '.join(map(constant, values))})"


def _with_verdict(state: duckdb.DuckDBPyConnection, source: str, verdict: str) -> set[str]:
    rows = state.execute(
        f"select load_id from loads where (source, verdict) = {_row(source, verdict)}"
    ).fetchall()
    return {row[0] for row in rows}


def _judge(
    env: Environment, source: str, load_id: str, *, verdict: str, by: str, reason: str
) -> None:
    judged_at = utc_now()
    with open_state(env) as state:
        _record_landed(env, state, source)
        state.execute("begin")
        changed = state.execute(
            "update loads set verdict = ?, judged_at = ?, judged_by = ?, reason = ? "
            "where source = ? and load_id = ?",
            [verdict, judged_at, by, reason, source, load_id],
        ).fetchone()
        if not changed or not changed[0]:
            raise KhachError(
                f"source {source} has no load {load_id}", fix="`khach loads` lists the loads"
            )
        state.execute(
            "insert into verdicts values (?, ?, ?, ?, ?, ?)",
            [source, load_id, verdict, judged_at, by, reason],
        )
        state.execute("commit")
