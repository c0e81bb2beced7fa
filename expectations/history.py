"""What earlier loads of a source looked like: the yardstick for volume and drift.

Only accepted loads count, so that a rejected delivery never becomes the norm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from expectations.engine import Gate
from expectations.rules import Rule, median_between, rows_between, same_mix
from expectations.suite import Suite
from khach.environment import Environment
from khach.state import open_state

COMPARED_LOADS = 5
# Below these numbers a comparison would be noise.
FEWEST_LOADS = 5
FEWEST_ROWS = 200
MOST_VALUES = 50


@dataclass(frozen=True)
class History:
    """The newest accepted loads of a source, newest first, and usual row counts by table."""

    loads: Sequence[str] = ()
    usual_rows: Mapping[str, float] = field(default_factory=dict)


def read_history(env: Environment, source: str, load_id: str) -> History:
    """Accepted loads that landed before this one."""
    earlier = (
        "from loads as l where l.source = ? and l.verdict = 'accepted' and l.load_id <> ? "
        "and l.landed_at <= coalesce((select max(landed_at) from loads "
        "where source = ? and load_id = ?), 'infinity'::timestamp)"
    )
    keys = [source, load_id, source, load_id]
    with open_state(env) as state:
        loads = state.execute(
            f"select l.load_id {earlier} order by l.landed_at desc, l.load_id desc limit ?",
            [*keys, COMPARED_LOADS],
        ).fetchall()
        usual = state.execute(
            "select table_name, median(rows_landed) from load_tables where source = ? "
            f"and rows_landed > 0 and load_id in (select l.load_id {earlier}) "
            "group by table_name having count(*) >= ?",
            [source, *keys, FEWEST_LOADS],
        ).fetchall()
    return History([str(row[0]) for row in loads], {str(t): float(m) for t, m in usual})


def volume_rules(history: History, table: str) -> list[Rule]:
    """A load far below the usual number of rows is a warning: half a file, a stopped till."""
    usual = history.usual_rows.get(table, 0.0)
    return [rows_between(int(usual * 0.1), severity="warning")] if usual >= FEWEST_ROWS else []


def drift_rules(gate: Gate, suite: Suite, relation: str, earlier: str | None) -> list[Rule]:
    """Compare mixes and levels with the earlier loads' relation (None: there is none)."""
    if earlier is None:
        return []
    rules = []
    for column in suite.mixes:
        if weights := _weights(gate, column, relation, earlier):
            rules.append(same_mix(column, weights))
    for column in suite.levels:
        low, high, count = gate.query(
            f"select quantile_cont({column}::double, 0.1), quantile_cont({column}::double, 0.9), "
            f"count({column}) from {earlier}"
        )[0]
        now = gate.query(f"select count({column}) from {relation}")[0][0]
        if min(count, now) >= FEWEST_ROWS:
            rules.append(median_between(column, float(low), float(high)))
    return rules


def _weights(gate: Gate, column: str, relation: str, earlier: str) -> dict[str, float] | None:
    counts = (
        f"select {column}::varchar as v, count(*) as n from {{}} where {column} is not null "
        "group by 1 order by 2 desc, 1"
    )
    before = gate.query(counts.format(earlier))
    now = gate.query(f"select sum(n), count(*) from ({counts.format(relation)})")[0]
    total = sum(row[1] for row in before)
    if min(total, now[0] or 0) < FEWEST_ROWS or max(len(before), now[1]) > MOST_VALUES:
        return None
    return {str(value): count / total for value, count in before}


def parquet(files: Sequence[Path]) -> str:
    """Lake files as a relation."""
    names = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
    return f"(select * from read_parquet([{names}], union_by_name = true))"
