"""Gate 2: good marts pass, every rule can fail, and readers' snapshot is the yardstick."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from expectations import marts
from expectations.marts.suites import SUITES
from expectations.suite import Suite
from khach.environment import Environment

NOW = datetime(2026, 1, 2, tzinfo=UTC)
FUTURE = "timestamp '2999-01-01'"
# Columns that the suites read, as good rows have them.
GOOD: dict[str, dict[str, str]] = {
    "customers": {
        "customer_id": "'c' || i", "email": "'p' || i || '@example.org'",
        "phone_e164": "'+8491200' || (1000 + i)", "birth_date": "date '1990-05-01'",
        "last_order_at": "timestamp '2026-01-01'", "order_count": "1::bigint",
        "net_revenue_amount": "9::decimal(18,4)", "gross_revenue_amount": "10::decimal(18,4)",
    },
    "orders": {
        "order_id": "'o' || i", "ordered_at": "timestamp '2026-01-01'", "customer_id": "'c' || i",
        "refund_amount": "0::decimal(18,4)", "gross_amount": "10::decimal(18,4)",
        "units": "1::decimal(18,4)",
    },
    "order_lines": {
        "order_line_id": "'l' || i", "unit_price_amount": "10::decimal(18,4)",
        "discount_amount": "0::decimal(18,4)", "units": "1::decimal(18,4)",
    },
    "consents": {
        "consent_id": "'n' || i", "granted_at": "timestamp '2026-01-01'",
        "withdrawn_at": "null::timestamp", "is_granted": "true",
    },
    "carts": {
        "cart_id": "'k' || i", "started_at": "timestamp '2026-01-01'",
        "last_activity_at": "timestamp '2026-01-01'", "cart_amount": "5::decimal(18,4)",
    },
    "sessions": {
        "session_id": "'s' || i", "started_at": "timestamp '2026-01-01'",
        "ended_at": "timestamp '2026-01-01'",
    },
    "kpi_values": {
        "kpi": "'lapse_rate'", "grain": "'day'", "period_start": "date '2026-01-01'",
        "slice": "'all'", "slice_value": "'all'", "value": "0.5::double",
        "denominator": "2::double", "lower_95": "0.4::double", "upper_95": "0.6::double",
    },
    "segment_membership": {
        "segment_id": "'s'", "customer_id": "'c' || i", "valid_from": "date '2026-01-01'",
        "valid_to": "null::date",
    },
}  # fmt: skip
SPOILT: dict[str, dict[str, str]] = {
    "email_malformed": {"email": "'no address'"},
    "phone_not_e164": {"phone_e164": "'0912000'"},
    "birth_date_impossible": {"birth_date": "date '1850-01-01'"},
    "order_count_negative": {"order_count": "-1::bigint"},
    "net_above_gross": {"net_revenue_amount": "99::decimal(18,4)"},
    "order_count_beyond_belief": {"order_count": "99999::bigint"},
    "order_count_mean": {"order_count": "5000::bigint"},
    "refund_above_gross": {"refund_amount": "99::decimal(18,4)"},
    "units_negative": {"units": "-1::decimal(18,4)"},
    "customer_unknown": {"customer_id": "null::varchar"},
    "unit_price_negative": {"unit_price_amount": "-1::decimal(18,4)"},
    "discount_above_price": {"discount_amount": "99::decimal(18,4)"},
    "granted_without_time": {"granted_at": "null::timestamp"},
    "cart_amount_negative": {"cart_amount": "-1::decimal(18,4)"},
    "ends_before_it_starts": {
        "last_activity_at": "timestamp '2025-01-01'", "ended_at": "timestamp '2025-01-01'",
        "valid_to": "date '2025-01-01'",
    },
    "longer_than_a_day": {"ended_at": "timestamp '2026-01-05'"},
    "value_outside_0_and_1": {"value": "1.5::double", "upper_95": "2::double"},
    "value_despite_denominator_zero": {"denominator": "0::double"},
    "interval_without_value": {"upper_95": "0.45::double"},
}  # fmt: skip


def build(path: Path, spoilt: dict[str, dict[str, str]] | None = None, rows: int = 40) -> None:
    """Write a database with every mart; `spoilt` maps a mart to the columns to replace."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        for table, columns in GOOD.items():
            found = {**columns, **(spoilt or {}).get(table, {})}
            listed = ", ".join(f"{sql} as {name}" for name, sql in found.items())
            connection.execute(f"create table {table} as select {listed} from range({rows}) t(i)")


def _failed(env: Environment) -> dict[str, str]:
    return {r.check_name: r.severity for r in marts.check(env) if not r.is_success}


def test_good_marts_pass(env: Environment) -> None:
    build(env.warehouse)
    results = marts.check(env, as_of=NOW)
    assert [r.check_name for r in results if not r.is_success] == []
    assert {r.table_name for r in results} == set(GOOD)


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.table)
def test_each_rule_of_a_mart_fails_on_rows_that_break_it(env: Environment, suite: Suite) -> None:
    for rule in suite.rules:
        columns = SPOILT.get(rule.name) or {rule.name.removesuffix("_in_future"): FUTURE}
        spoilt = {name: sql for name, sql in columns.items() if name in GOOD[suite.table]}
        assert spoilt, f"no way to break {rule.name} is written down here"
        build(env.warehouse, {suite.table: spoilt})
        results = {r.check_name: r for r in marts.check(env)}
        result = results[f"marts.{suite.table}.{rule.name}"]
        assert (result.is_success, result.severity) == (False, rule.severity)
        if rule.failing:
            assert result.failed_count == 40
            with duckdb.connect(str(env.warehouse), read_only=True) as connection:
                assert len(connection.execute(str(result.failing_sql)).fetchall()) == 40


def test_marts_that_shrink_against_the_published_ones_warn_and_halved_ones_block(
    env: Environment,
) -> None:
    build(env.published / "s1" / "marts.duckdb", rows=100)
    env.current.symlink_to("s1")
    build(env.warehouse, rows=80)
    assert _failed(env)["marts.customers.volume_shrunk"] == "warning"
    assert "marts.customers.volume_collapsed" not in _failed(env)
    build(env.warehouse, rows=49)
    assert _failed(env)["marts.customers.volume_collapsed"] == "error"
    build(env.warehouse, rows=0)
    assert _failed(env)["marts.customers.volume_collapsed"] == "error"


def test_marts_without_a_single_row_pass_where_nothing_was_published(env: Environment) -> None:
    build(env.warehouse, rows=0)
    assert _failed(env) == {}


def test_marts_that_are_not_there_block_when_they_are_the_core(env: Environment) -> None:
    duckdb.connect(str(env.warehouse)).close()
    assert _failed(env) == {"marts.customers.columns": "error", "marts.orders.columns": "error"}


def test_the_warehouse_is_free_for_a_writer_after_the_check(env: Environment) -> None:
    build(env.warehouse)
    marts.check(env)
    with duckdb.connect(str(env.warehouse)) as connection:
        connection.execute("create table written (i integer)")
