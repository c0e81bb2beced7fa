"""Gate 2: the marts, before anybody may read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from expectations.engine import Gate, open_gate
from expectations.marts import suites
from expectations.rules import Rule, fresh, rows_between
from expectations.suite import COLUMNS, Subject, Suite, at_horizon, judge, wall_clock
from khach.checks import CheckResult
from khach.environment import Environment

STAGE = "marts"
FUTURE = timedelta(days=2)
# Against the snapshot that readers have now: fewer is suspicious, half is a broken source.
SUSPICIOUS, COLLAPSED = 0.9, 0.5


def check(env: Environment, *, as_of: datetime | None = None) -> list[CheckResult]:
    """Judge the marts of the working file; `as_of` (aware) is the end of the observed period.

    Raises duckdb.IOException when another process writes to the warehouse.
    """
    end = as_of.astimezone(UTC).replace(tzinfo=None) if as_of else None
    horizon = max(end or wall_clock(), wall_clock()) + FUTURE
    results: list[CheckResult] = []
    with open_gate(_files(env)) as gate:
        present = _tables(gate, "warehouse")
        published = _tables(gate, "published")
        for suite in suites.SUITES:
            subject = Subject(STAGE, suite.table, suite.key, f"main.{suite.table}")
            if suite.table not in present:
                if suite.table in suites.CORE:
                    results.append(subject.result(COLUMNS, False, None))
                continue
            rules = at_horizon(suite.rules, horizon)
            if suite.table in published:
                rules += _against_published(gate, suite.table)
            if suite.newest and end:
                rules.append(fresh(suite.newest, end - timedelta(days=suite.fresh_days)))
            reads = f"warehouse.main.{suite.table}"
            results += judge(gate, subject, _applicable(gate, suite, rules), reads=reads)
    return results


def _files(env: Environment) -> dict[str, Path]:
    files = {"warehouse": env.warehouse}
    current = env.current / "marts.duckdb"
    return files | {"published": current.resolve()} if current.exists() else files


def _tables(gate: Gate, database: str) -> set[str]:
    rows = gate.query(
        "select table_name from information_schema.tables where table_schema = 'main' "
        f"and table_catalog = '{database}'"
    )
    return {str(row[0]) for row in rows}


def _against_published(gate: Gate, table: str) -> list[Rule]:
    rows = gate.query(f"select count(*) from published.main.{table}")[0][0]
    return [
        rows_between(int(rows * COLLAPSED), name="volume_collapsed", severity="error"),
        rows_between(int(rows * SUSPICIOUS), name="volume_shrunk", severity="warning"),
    ]


def _applicable(gate: Gate, suite: Suite, rules: list[Rule]) -> list[Rule]:
    """On a mart without rows only its volume can be judged."""
    filled = gate.query(f"select count(*) from warehouse.main.{suite.table}")[0][0] > 0
    return rules if filled else [rule for rule in rules if "column" not in rule.arguments]
