"""A suite: the rules of one table, and how its outcomes become check results."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from expectations.engine import Gate
from expectations.rules import HORIZON, Rule
from khach.checks import CheckResult

COLUMNS = Rule("columns", "every column that the suite reads is there", "", {})


@dataclass(frozen=True)
class Suite:
    """The rules of one table; further ones follow from its own history.

    `key` is what a failing row is known by. `marker` is a column that tells this table from
    another source's table of the same name. `mixes` are categorical columns and `levels` numbers
    that are compared with earlier loads; `newest` is the timestamp that tells how fresh a load is,
    and `fresh_days` how old it may be.
    """

    table: str
    key: str
    rules: tuple[Rule, ...] = ()
    marker: str | None = None
    mixes: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    newest: str | None = None
    fresh_days: int = 3

    def fits(self, table: str, columns: set[str]) -> bool:
        """Whether a table with these columns is the suite's own, or a part (`orders__web`)."""
        is_own = table.partition("__")[0] == self.table
        return is_own and (self.marker is None or self.marker in columns)


@dataclass(frozen=True)
class Subject:
    """What a validation is about: the relation that GX reads and how its results are labelled.

    `relation` is a table or a subquery in parentheses that any DuckDB connection (with the
    warehouse open as its main file, for marts) can read again.
    """

    stage: str
    table: str
    key: str
    relation: str
    source: str | None = None
    load_id: str | None = None
    snapshot_id: str | None = None

    def result(
        self, rule: Rule, is_success: bool, failed_count: int | None, failing_sql: str | None = None
    ) -> CheckResult:
        """The outcome of one rule as it is recorded."""
        parts = [self.stage, self.source, self.table, rule.name]
        return CheckResult(
            check_name=".".join(part for part in parts if part),
            stage=self.stage,
            rule=rule.sentence,
            is_success=is_success,
            severity=rule.severity,
            source=self.source,
            table_name=self.table,
            load_id=self.load_id,
            snapshot_id=self.snapshot_id,
            failed_count=failed_count,
            failing_sql=failing_sql,
        )


def at_horizon(rules: Sequence[Rule], horizon: datetime) -> list[Rule]:
    """The rules with the horizon written into their predicates."""
    literal = f"timestamp '{horizon:%Y-%m-%d %H:%M:%S}'"
    return [
        replace(rule, failing=rule.failing.replace(HORIZON, literal)) if rule.failing else rule
        for rule in rules
    ]


def judge(
    gate: Gate, subject: Subject, rules: Sequence[Rule], *, reads: str | None = None
) -> list[CheckResult]:
    """Validate the rules in one go; a rule whose columns are absent has failed.

    `reads` is the relation on the gate's own connection where it differs from `subject.relation`.
    """
    relation = reads or subject.relation
    if not gate.binds(relation, rules):
        return [subject.result(COLUMNS, False, None)]
    outcomes = gate.validate(relation, rules)
    results = []
    for rule in rules:
        is_success, failed_count = outcomes[rule.name]
        sql = None
        if rule.failing and failed_count:
            sql = f"select {subject.key} from {subject.relation} where {rule.failing}"
        results.append(subject.result(rule, is_success, failed_count, sql))
    return results


def wall_clock() -> datetime:
    """The machine's clock, naive UTC, as the warehouse stores time."""
    return datetime.now(UTC).replace(tzinfo=None)
