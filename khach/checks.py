"""Results of gates: recorded with counts, never with the rows that failed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import duckdb

from khach.errors import GateError
from khach.runs import utc_now

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class CheckResult:
    """One rule on one table. `failing_sql` selects the failing keys again, on demand only."""

    check_name: str
    stage: str
    rule: str
    is_success: bool
    severity: Severity = "error"
    source: str | None = None
    table_name: str | None = None
    load_id: str | None = None
    snapshot_id: str | None = None
    failed_count: int | None = None
    failing_sql: str | None = None

    @property
    def is_blocking(self) -> bool:
        """Whether this result stops everything after it."""
        return not self.is_success and self.severity == "error"


def record_checks(
    state: duckdb.DuckDBPyConnection, run_id: str, results: Iterable[CheckResult]
) -> None:
    """Append results to `check_results`, replacing the same check of the same run."""
    at = utc_now()
    rows = [
        (
            run_id, r.check_name, r.stage, r.source, r.table_name, r.rule, r.load_id,
            r.snapshot_id, r.is_success, r.severity, r.failed_count, r.failing_sql, at,
        )
        for r in results
    ]  # fmt: skip
    if not rows:
        return
    state.execute("begin")
    state.executemany(
        "delete from check_results where run_id = ? and check_name = ? "
        "and load_id is not distinct from ?",
        [(row[0], row[1], row[6]) for row in rows],
    )
    marks = ", ".join("?" * len(rows[0]))
    state.executemany(f"insert into check_results values ({marks})", rows)
    state.execute("commit")


def gate_error(run_id: str, results: Iterable[CheckResult]) -> GateError | None:
    """The error that stops a run, naming every blocking result; None when there is none."""
    blocking = [result for result in results if result.is_blocking]
    if not blocking:
        return None
    lines = [_describe(run_id, result) for result in blocking]
    return GateError("a gate stopped the run; nothing after it was changed\n" + "\n".join(lines))


def _describe(run_id: str, result: CheckResult) -> str:
    where = ".".join(part for part in (result.source, result.table_name) if part) or result.stage
    load = f", load {result.load_id}" if result.load_id else ""
    count = f", {result.failed_count:,} failing" if result.failed_count is not None else ""
    return (
        f"  {where}: {result.rule}{load}{count}\n    khach checks show {run_id} {result.check_name}"
    )
