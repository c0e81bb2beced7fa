"""What was delivered against what could be read: the share of quarantined rows by table."""

from collections.abc import Sequence
from pathlib import Path

from expectations.engine import Gate
from expectations.history import parquet
from expectations.rules import share
from expectations.suite import Subject, judge
from khach.checks import CheckResult

# One bad line in a file of four is no reason to stop everybody; a file of nothing else is.
_TOO_MANY = "rows_quarantined > 0.2 * rows_offered and (rows_quarantined >= 5 or rows_landed = 0)"
RULES = (
    share("quarantined_share", _TOO_MANY),
    share(
        "quarantined_some",
        "rows_quarantined > greatest(0.01 * rows_offered, 5)",
        severity="warning",
    ),
)


def check(gate: Gate, source: str, load_id: str, files: Sequence[Path]) -> list[CheckResult]:
    """Judge the delivery counts of one load; failing keys are the tables."""
    if not files:
        return []
    relation = (
        "(select table_name, sum(rows_offered) as rows_offered, sum(rows_landed) as rows_landed, "
        f"sum(rows_quarantined) as rows_quarantined from {parquet(files)} group by table_name)"
    )
    key = "table_name, rows_offered, rows_quarantined"
    subject = Subject("landing", "_deliveries", key, relation, source, load_id)
    return judge(gate, subject, RULES)
