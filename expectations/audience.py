"""Gate 3: the rows of a plan, just before they leave. Nothing of them is kept.

Activation has decided who may leave; this looks at the finished payload with other eyes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from expectations.engine import Gate, open_gate
from expectations.rules import E164, EMAIL, Rule, rows_between, share
from expectations.suite import Subject, judge
from khach.checks import CheckResult
from khach.environment import Environment
from khach.settings import load_settings

if TYPE_CHECKING:
    import pyarrow as pa

STAGE = "audience"
_FORMATS = {
    "email": EMAIL,
    "sms": E164,
    "zalo": E164,
    "phone": E164,
    "push": r"^\S{1,128}$",
    "ads": f"{EMAIL}|{E164}",
}
_MOST_ROWS_NAMED = 1000


def check(env: Environment, plan_id: str, table: pa.Table, *, on: date) -> list[CheckResult]:
    """Judge the rows of a plan (`activation.plan.plan_rows`) against the published customers.

    `on` is the day on which ages are taken. A plan without rows has nothing to judge.
    """
    if not table.num_rows:
        return []
    sync_id, channel = (table.column(name)[0].as_py() for name in ("sync_id", "consent_channel"))
    marts = (env.current / "marts.duckdb").resolve()
    with open_gate({"published": marts}) as gate:
        gate.register("plan_rows", table)
        # Removals carry no payload and may be of somebody whom we know no more.
        relation = (
            "(select p.*, c.is_test, c.birth_date, "
            "c.customer_id is null as is_unknown, "
            "count(p.identifier) over (partition by p.identifier) as holders from plan_rows as p "
            "left join published.main.customers as c on p.customer_id = c.customer_id "
            "where p.action in ('add', 'update', 'message') "
            "and not starts_with(p.customer_id, 'seed:'))"
        )
        leaving, customers = gate.query(
            f"select count(*), (select count(*) from published.main.customers) from {relation}"
        )[0]
        if not leaving:
            return []
        subject = Subject(STAGE, sync_id, "row_number", relation)
        rules = [
            *_rules(channel, load_settings(env).minimum_age, on),
            rows_between(0, customers, severity="error"),
        ]
        return [_named(gate, plan_id, result) for result in judge(gate, subject, rules)]


def _rules(channel: str, minimum_age: int, on: date) -> list[Rule]:
    birthday = f"birth_date + interval {minimum_age} year > date '{on:%Y-%m-%d}'"
    return [
        share("identifier_missing", "nullif(trim(identifier), '') is null"),
        share("identifier_malformed", f"not regexp_matches(identifier, '{_FORMATS[channel]}')"),
        share("identifier_twice", "holders > 1"),
        share("customer_unknown", "is_unknown"),
        share("consent_not_granted", "is_granted is not true or consent_id is null"),
        share("test_customer", "is_test"),
        share("under_age", birthday),
        share(
            "field_empty",
            "len(list_filter(map_values(fields), v -> nullif(trim(v), '') is null)) > 0",
            at_most=0.2,
            severity="warning",
        ),
    ]


def _named(gate: Gate, plan_id: str, result: CheckResult) -> CheckResult:
    """Failing rows by their numbers in the stored plan, since the payload is kept nowhere."""
    if not result.failing_sql:
        return result
    rows = gate.query(f"{result.failing_sql} order by 1 limit {_MOST_ROWS_NAMED}")
    numbers = ", ".join(str(row[0]) for row in rows)
    return replace(
        result,
        failing_sql="select plan_id, row_number, customer_id, action from "
        f"state.main.sync_plan_rows where plan_id = '{plan_id}' and row_number in ({numbers})",
    )
