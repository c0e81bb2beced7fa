"""Public data sets, by configuration only: the counts and sums of their published descriptions."""

from decimal import Decimal

import pytest
from landed_data import Configure, rows_of

from ingestion.run import ingest
from khach.environment import PROJECT, Environment


def _ingest(env: Environment, configure: Configure, name: str) -> tuple[int, int]:
    counts = _tables(env, configure, name)
    return counts["order_lines"], counts["order_lines"]


def _tables(env: Environment, configure: Configure, name: str) -> dict[str, int]:
    """Rows of each table; all that were offered have landed."""
    configure((PROJECT / "khach" / "templates" / name / "sources.yml").read_text())
    load = ingest(env, name)
    assert load is not None
    for counts in load.tables.values():
        assert counts.rows_quarantined == 0
        assert counts.rows_offered == counts.rows_landed
    return {table: counts.rows_landed for table, counts in load.tables.items()}


@pytest.mark.samples
def test_online_retail_lands_whole_with_the_usual_cleaning_marked(
    env: Environment, configure: Configure
) -> None:
    assert _ingest(env, configure, "online_retail") == (541_909, 541_909)
    kept = "filter (where _is_kept)"
    assert rows_of(
        env, "online_retail", "order_lines",
        f"count(*) {kept}, sum(line_amount) {kept}, count(distinct external_id) {kept}, "
        "sum(units), sum(line_amount), count(distinct order_id), count(distinct order_line_id), "
        "min(ordered_at)::varchar, max(ordered_at)::varchar, "
        "count(distinct order_id) filter (status = 'cancelled')",
    ) == [
        (397_884, Decimal("8911407.904"), 4_338, 5_176_450, Decimal("9747747.934"), 25_900,
         541_909, "2010-12-01 08:26:00", "2011-12-09 12:50:00", 3_836)
    ]  # fmt: skip


@pytest.mark.samples
def test_cdnow_lands_whole_to_the_cent(env: Environment, configure: Configure) -> None:
    assert _ingest(env, configure, "cdnow") == (69_659, 69_659)
    assert rows_of(
        env, "cdnow", "order_lines",
        "count(distinct external_id), sum(units), sum(line_amount), count(distinct order_id), "
        "min(ordered_at)::varchar, max(ordered_at)::varchar",
    ) == [
        (23_570, 167_881, Decimal("2500315.63"), 67_591, "1997-01-01 05:00:00",
         "1998-06-30 04:00:00")
    ]  # fmt: skip


@pytest.mark.samples
def test_jaffle_shop_generated_lines_at_menu_prices_are_the_subtotals(
    env: Environment, configure: Configure
) -> None:
    name = "jaffle_shop_generated"
    assert _tables(env, configure, name) == {
        "customers": 938, "products": 10, "stores": 6, "orders": 72_653, "order_lines": 108_596,
        "payments": 72_653, "messages": 21_984,
    }  # fmt: skip
    assert rows_of(
        env, name, "order_lines", "sum(units * unit_price), count(distinct order_id)"
    ) == [(Decimal("766596.00"), 72_067)]
    assert rows_of(env, name, "payments", "sum(amount)") == [(Decimal("807230.86"),)]
    assert rows_of(env, name, "messages", "count(distinct external_id)") == [(775,)]
    assert rows_of(env, name, "orders", "min(ordered_at)::varchar, max(ordered_at)::varchar") == [
        ("2018-09-01 13:03:00", "2019-08-31 18:58:00")
    ]
    # New York's 09:03 and 14:58.


@pytest.mark.samples
def test_complete_journey_lands_whole_with_coupons_and_campaigns(
    env: Environment, configure: Configure
) -> None:
    name = "complete_journey_a"
    assert _tables(env, configure, name) == {
        "customers": 382, "products": 92_331, "order_lines": 726_740, "campaigns": 27,
        "messages": 3_222, "offers": 116_204, "coupon_redemptions": 1_148,
    }  # fmt: skip
    assert rows_of(
        env, name, "order_lines",
        "sum(line_amount), sum(discount), count(distinct order_id), count(distinct member_number), "
        "count(distinct store_id), count(distinct product_id)",
    ) == [
        (Decimal("2292986.86"), Decimal("397892.23") + Decimal("2302.96"), 77_312, 1_231, 311,
         51_066)
    ]  # fmt: skip


@pytest.mark.samples
def test_online_shoppers_are_sessions_with_and_without_an_order(
    env: Environment, configure: Configure
) -> None:
    assert _tables(env, configure, "online_shoppers") == {"sessions": 12_330}
    assert rows_of(
        env, "online_shoppers", "sessions",
        "distinct visitor_type, count(*) over (partition by visitor_type), "
        "round(100 * avg(has_order::int) over (partition by visitor_type), 4)",
    ) == [
        ("new", 1_694, 24.9115), ("other", 85, 18.8235), ("returning", 10_551, 13.9323)
    ]  # fmt: skip
    months = rows_of(env, "online_shoppers", "sessions", "distinct month(started_at)")
    assert {month for (month,) in months} == set(range(1, 13)) - {1, 4}


@pytest.mark.samples
def test_fivetran_mailchimp_feeds_one_entity_from_several_tables(
    env: Environment, configure: Configure
) -> None:
    name = "fivetran_mailchimp"
    assert _tables(env, configure, name) == {
        "customers": 9, "consents": 9, "campaigns": 1, "campaigns__automation": 2,
        "email_events__sent": 10, "email_events__activity": 17, "email_events__automation_sent": 3,
        "email_events__automation_activity": 8, "email_events__unsubscribes": 1,
    }  # fmt: skip
    assert rows_of(env, name, "email_events__activity", "count(distinct email_event_id)") == [(17,)]


@pytest.mark.samples
def test_fivetran_qualtrics_answers_find_their_response(
    env: Environment, configure: Configure
) -> None:
    assert _tables(env, configure, "fivetran_qualtrics") == {
        "customers": 5, "customers__core": 1, "survey_responses": 5, "survey_responses__answers": 5,
    }  # fmt: skip


@pytest.mark.samples
def test_jaffle_shop_classic_pays_in_several_ways(env: Environment, configure: Configure) -> None:
    name = "jaffle_shop_classic"
    assert _tables(env, configure, name) == {
        "customers": 100, "orders": 99, "order_lines": 113, "payments": 113,
    }  # fmt: skip
    assert rows_of(
        env, name, "payments",
        "distinct method, sum(amount) over (partition by method), sum(amount) over ()",
    ) == [
        (method, Decimal(amount), Decimal("1672.00"))
        for method, amount in (("bank_transfer", 411), ("coupon", 185), ("credit_card", 871),
                               ("gift_card", 205))
    ]  # fmt: skip
