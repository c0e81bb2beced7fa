"""Gate 1: good loads pass, every rule can fail, and what is stored names no person."""

from datetime import UTC, datetime

import duckdb
import pytest
from expectation_tables import ALL_ENTITIES, DELIVERIES, land, raw_table, select

from expectations import landing
from expectations.landing import SUITES, deliveries
from ingestion.quarantine import BadRow, write_quarantine
from khach.environment import Environment
from khach.state import open_state

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LOAD = "1767312000.25"
FUTURE = "timestamp '2999-01-01'"
NULL = "null"

# For each rule the columns to spoil so that it fails; a rule without an entry fails the test.
SPOILT: dict[str, dict[str, str]] = {
    "belongs_to_nobody": dict.fromkeys(
        (
            "user_id",
            "member_number",
            "external_id",
            "email",
            "phone",
            "anonymous_id",
            "domain_userid",
            "network_userid",
            "user_pseudo_id",
        ),
        NULL,
    ),
    "email_malformed": {"email": "'no address'"},
    "email_address_malformed": {"email_address": "'no address'"},
    "phone_malformed": {"phone": "'12'"},
    "birth_date_impossible": {"birth_date": "date '1850-01-01'"},
    "price_negative": {"price": "-1"},
    "amount_negative": {"amount": "-1"},
    "total_negative": {"total": "-1"},
    "total_price_negative": {"total_price": "-1"},
    "original_unit_price_negative": {"original_unit_price": "-1"},
    "total_refunded_negative": {"total_refunded": "-1"},
    "variant_price_negative": {"variant_price": "-1"},
    "cost_negative": {"cost": "-1"},
    "unit_price_negative": {"unit_price": "-1"},
    "worth_unknown": {"unit_price": NULL, "line_amount": NULL},
    "units_zero_or_missing": {"units": "0"},
    "units_beyond_belief": {"units": "99999"},
    "ordered_long_ago": {"ordered_at": "timestamp '1970-01-01'"},
    "score_off_scale": {"score": "11"},
    "track_without_event": {"event": NULL},
    "event_without_type": {"event_type": NULL},
    "event_without_name": {"event_name": NULL},
    "type_unknown": {"type": "'zombie'"},
    "answered_before_opened": {"first_answered_at": "timestamp '2025-01-01'"},
    "closed_before_opened": {"closed_at": "timestamp '2025-01-01'"},
    "duration_negative": {"duration_seconds": "-1"},
    "ends_before_it_begins": {"valid_to": "timestamp '2025-01-01'"},
    "kind_unknown": {"kind": "'zombie'"},
    "ended_before_started": {"ended_at": "timestamp '2025-01-01'"},
    "arrived_late": {"received_at": "timestamp '2026-02-01'"},
}


def _kind(suite: landing.Suite) -> str:
    for vendor in (landing.woocommerce, landing.square, landing.shopify):
        if suite in vendor.SUITES:
            return vendor.__name__.rpartition(".")[2]
    if suite.table == "events":
        return {"domain_userid": "snowplow", "user_pseudo_id": "ga4"}.get(
            suite.marker or "", "segment"
        )
    own_names = suite.table in ALL_ENTITIES and suite.marker in (None, "campaign_name")
    return "entities" if own_names else "mailchimp"


def _spoilt(rule_name: str) -> dict[str, str]:
    if rule_name in SPOILT:
        return SPOILT[rule_name]
    column, _, what = rule_name.rpartition("_")
    if what == "missing":
        return {column: NULL}
    return {rule_name.removesuffix("_in_future"): FUTURE}


@pytest.mark.parametrize("suite", SUITES, ids=lambda s: f"{_kind(s)}.{s.table}")
def test_a_good_table_passes_and_each_rule_fails_on_rows_that_break_it(
    env: Environment, suite: landing.Suite
) -> None:
    spec = raw_table(_kind(suite), suite.table)
    land(env, "shop", spec, LOAD)
    assert [r for r in landing.check(env, "shop", LOAD, as_of=NOW) if not r.is_success] == []
    for number, rule in enumerate(suite.rules):
        load_id = f"{1767400000 + number}.5"
        land(env, "shop", spec, load_id, select(spec, _spoilt(rule.name)))
        failed = {r.check_name: r for r in landing.check(env, "shop", load_id) if not r.is_success}
        result = failed[f"landing.shop.{suite.table}.{rule.name}"]
        assert (result.severity, result.failed_count) == (rule.severity, 40)
        assert result.failing_sql is not None
        assert len(duckdb.sql(result.failing_sql).fetchall()) == 40


def test_failing_keys_are_selected_again_and_stored_nowhere(env: Environment) -> None:
    spec = raw_table("entities", "customers")
    land(env, "shop", spec, LOAD, select(spec, {"email": "'secret.person at example'"}))
    results = landing.check(env, "shop", LOAD)
    (result,) = [r for r in results if r.check_name.endswith("email_malformed")]
    assert "secret.person" not in repr(results)
    keys = duckdb.sql(str(result.failing_sql))
    assert keys.columns == ["record_id"]
    assert len(keys.fetchall()) == 40


def test_rows_that_the_filter_refuses_are_not_judged(env: Environment) -> None:
    spec = raw_table("entities", "order_lines")
    spoilt = {"unit_price": "if(i < 20, -5, 5)", "_is_kept": "i >= 20"}
    land(env, "shop", spec, LOAD, select(spec, spoilt))
    assert all(result.is_success for result in landing.check(env, "shop", LOAD))


def test_a_load_that_brings_nothing_has_nothing_to_judge(env: Environment) -> None:
    spec = raw_table("entities", "orders")
    land(env, "shop", spec, LOAD, select(spec, {}, rows=0))
    assert landing.check(env, "shop", LOAD) == []
    assert landing.check(env, "shop", "1.0") == []


def test_a_missing_column_fails_instead_of_being_skipped(env: Environment) -> None:
    spec = raw_table("entities", "orders")
    land(env, "shop", spec, LOAD, "select 'a' as order_id, now()::timestamp as ordered_at")
    (result,) = landing.check(env, "shop", LOAD)
    assert result.is_blocking
    assert result.check_name == "landing.shop.orders.columns"


@pytest.mark.parametrize(
    ("offered", "quarantined", "blocks", "warns"),
    [(1000, 1, False, False), (1000, 8, False, True), (1000, 10, False, True),
     (1000, 11, True, False), (4, 1, False, False), (2, 2, True, False), (40, 5, True, False)],
)  # fmt: skip
def test_the_share_of_quarantined_rows_blocks_only_when_it_is_no_accident(
    env: Environment, offered: int, quarantined: int, blocks: bool, warns: bool
) -> None:
    counts = {
        "table_name": "'orders'", "rows_offered": str(offered),
        "rows_landed": str(offered - quarantined), "rows_quarantined": str(quarantined),
    }  # fmt: skip
    land(env, "shop", DELIVERIES, LOAD, select(DELIVERIES, counts, rows=1))
    results = landing.check(env, "shop", LOAD)
    assert len(results) == len(deliveries.RULES)
    assert any(r.is_blocking for r in results) == blocks
    assert any(not r.is_success and r.severity == "warning" for r in results) == warns
    assert {r.table_name for r in results} == {"orders"}
    if blocks:
        (blocking,) = (r for r in results if r.is_blocking)
        assert blocking.failed_count == quarantined
        assert f"{quarantined} of {offered:,} rows" in blocking.rule
        assert "at most 1.0%" in blocking.rule


def test_the_share_is_the_sources_own(env: Environment) -> None:
    counts = {"table_name": "'orders'", "rows_offered": "100", "rows_landed": "94",
              "rows_quarantined": "6"}  # fmt: skip
    land(env, "shop", DELIVERIES, LOAD, select(DELIVERIES, counts, rows=1))
    for share, blocks in ((0.06, False), (0.05, True), (0.0, True)):
        results = landing.check(env, "shop", LOAD, max_quarantine_share=share)
        assert any(r.is_blocking for r in results) == blocks


def test_the_keys_of_a_share_are_the_quarantined_rows(env: Environment) -> None:
    counts = {"table_name": "'orders'", "file": "'o''1.csv'", "rows_offered": "1",
              "rows_landed": "0", "rows_quarantined": "1"}  # fmt: skip
    land(env, "shop", DELIVERIES, LOAD, select(DELIVERIES, counts, rows=1))
    write_quarantine(env, "shop", "orders", "o'1.csv", [BadRow(7, "a is missing", b"x")])
    (blocking,) = (r for r in landing.check(env, "shop", LOAD) if r.is_blocking)
    assert duckdb.sql(blocking.failing_sql).fetchall() == [("o'1.csv", 7, "a is missing")]


def _accept(env: Environment, loads: list[str], table: str, rows: int) -> None:
    with open_state(env) as state:
        for number, load_id in enumerate(loads):
            state.execute(
                "insert into loads values ('shop', ?, timestamp '2026-01-01' + interval 1 day * ?, "
                "'accepted', null, null, null)",
                [load_id, number],
            )
            state.execute(
                "insert into load_tables values ('shop', ?, ?, ?, ?, 0)",
                [load_id, table, rows, rows],
            )


def test_volume_mix_and_level_are_compared_with_accepted_loads(env: Environment) -> None:
    spec = raw_table("entities", "payments")
    usual = {"method": "if(i % 2 = 0, 'cash', 'card')", "amount": "100 + i % 50"}
    loads = [f"{number}.0" for number in range(1, 7)]
    for load_id in loads:
        land(env, "shop", spec, load_id, select(spec, usual, rows=3000))
    _accept(env, loads[:5], "payments", 3000)
    land(env, "shop", spec, "9.0", select(spec, usual, rows=3000))
    assert all(result.is_success for result in landing.check(env, "shop", "9.0"))

    land(env, "shop", spec, "10.0", select(spec, {"method": "'gift'", "amount": "9"}, rows=250))
    failed = {r.check_name.rpartition(".")[2]: r for r in landing.check(env, "shop", "10.0")
              if not r.is_success}  # fmt: skip
    assert set(failed) == {"volume", "method_mix", "amount_level"}
    assert {result.severity for result in failed.values()} == {"warning"}


def test_too_few_rows_or_loads_are_no_yardstick(env: Environment) -> None:
    spec = raw_table("entities", "payments")
    land(env, "shop", spec, "1.0")
    _accept(env, ["1.0"], "payments", 40)
    land(env, "shop", spec, "2.0", select(spec, {"method": "'gift'", "amount": "9"}, rows=3))
    assert all(result.is_success for result in landing.check(env, "shop", "2.0"))


def test_stale_orders_warn_only_where_the_present_is_known(env: Environment) -> None:
    spec = raw_table("entities", "orders")
    land(env, "shop", spec, LOAD)
    late = datetime(2026, 1, 20, tzinfo=UTC)
    (stale,) = [r for r in landing.check(env, "shop", LOAD, as_of=late) if not r.is_success]
    assert (stale.check_name, stale.severity) == ("landing.shop.orders.freshness", "warning")
    assert all(result.is_success for result in landing.check(env, "shop", LOAD))
