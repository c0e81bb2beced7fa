"""The main job on the simulated retailer: every figure reconciles, every contact is permitted."""

import sqlite3
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from tests.e2e import identity_figures
from tests.e2e.installation import Installation

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("twin")]


def one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return row


@pytest.fixture
def raw(twin: Installation) -> Path:
    return twin.home / "lake"


def test_the_summary_says_what_was_done_and_what_to_open(twin: Installation) -> None:
    said = (twin.folder.parent / "twin.out").read_text(encoding="utf-8")
    for word in ("offered", "quarantined", "Gates", "People", "acknowledged", "report.html"):
        assert word in said
    assert "no server is left running" in said


def test_who_is_who_is_found_and_nobody_is_joined_by_a_shared_thing(twin: Installation) -> None:
    identity_figures.hold(twin)


def test_a_card_is_one_persons_wherever_it_is_shown(twin: Installation) -> None:
    """The CRM names people by the tills' cards, in the tills' namespace."""
    with duckdb.connect(str(twin.home / "warehouse.duckdb"), read_only=True) as warehouse:
        members, apart = one(
            warehouse,
            """
            select count(*), count(*) filter (club.customer_id is distinct from cards.customer_id)
            from intermediate.int_record_customers as club
            join intermediate.int_record_customers as cards
                on cards.source = 'tills' and cards.record_kind = 'customers'
                and substr(club.record_id, 3) = substr(cards.record_id, 3)
            where club.source = 'crm' and club.record_kind = 'loyalty_enrolments'
            """,
        )
    assert members > 100
    assert apart == 0


def test_every_row_offered_is_accounted_for(twin: Installation) -> None:
    with duckdb.connect(str(twin.home / "published" / "operations.duckdb")) as operations:
        rows = operations.execute(
            "select source, table_name, sum(rows_offered), sum(rows_landed), "
            "sum(rows_quarantined), sum(rows_duplicate), sum(rows_filtered), sum(rows_in_marts) "
            "from data_quality group by all"
        ).fetchall()
    assert {source for source, *_ in rows} == {
        "web_events",
        "web_shop",
        "tills",
        "crm",
        "email",
        "texts",
    }
    for source, table, offered, landed, quarantined, duplicate, filtered, in_marts in rows:
        assert offered == landed + quarantined, (source, table)
        if landed:
            assert landed == in_marts + duplicate + filtered, (source, table)
    assert sum(row[4] for row in rows) > 0, "the sandbox plants malformed lines"


def test_revenue_in_the_marts_is_revenue_at_the_sources_to_the_last_dong(
    twin: Installation, raw: Path
) -> None:
    exports = twin.home / "sandbox" / "exports" / "web_shop"
    web = one(
        duckdb.connect(),
        f"select count(*), sum(cast(amount as decimal(18, 4))) "
        f"from read_csv('{exports}/order_lines-*.csv', all_varchar = true)",
    )
    tills = one(
        duckdb.connect(),
        f"select count(*), sum(line_amount) from '{raw}/raw_tills/order_lines/*.parquet'",
    )
    with twin.marts() as marts:
        lines = one(marts, "select count(*), sum(line_amount) from order_lines")
        orders = one(marts, "select sum(gross_amount) from orders")
        kpi = one(
            marts,
            "select sum(numerator) filter (kpi = 'gross_revenue'), "
            "(select sum(gross_amount) from orders where is_completed) "
            "from kpi_values where grain = 'day' and slice = 'all' and kpi = 'gross_revenue'",
        )
    assert lines == (web[0] + tills[0], web[1] + tills[1])
    assert orders[0] == lines[1]
    assert Decimal(kpi[0]) == kpi[1]


def test_changes_of_price_are_those_of_the_catalogue(twin: Installation) -> None:
    exports = twin.home / "sandbox" / "exports" / "web_shop"
    moved = duckdb.connect().execute(
        f"select product_id, before, price from (select *, lag(price) over (partition by "
        f"product_id order by updated_at) as before from (select distinct product_id, "
        f"updated_at, cast(price as decimal(18, 4)) as price "
        f"from read_csv('{exports}/products-*.csv', all_varchar = true))) where before <> price"
    ).fetchall()  # fmt: skip
    with twin.marts() as marts:
        told = marts.execute(
            "select name, cast(from_version as decimal(18, 4)), cast(to_version as decimal(18, 4)) "
            "from changes where kind = 'price'"
        ).fetchall()
        summaries = marts.execute("select summary from changes where kind = 'price'").fetchall()
    assert moved
    assert sorted(told) == sorted(moved)
    assert {summary for (summary,) in summaries} == {
        f"price {before:.0f} -> {after:.0f}" for _, before, after in moved
    }


def test_customers_found_are_near_the_people_who_left_a_trace(twin: Installation) -> None:
    truth = twin.home / "sandbox" / "truth" / "people.parquet"
    people = one(duckdb.connect(), f"select count(*) from '{truth}'")[0]
    with twin.marts() as marts:
        customers = one(marts, "select count(*), count(distinct customer_id) from customers")
    assert customers[0] == customers[1]
    assert 0.6 * people < customers[0] < 1.1 * people


def test_only_people_who_permit_it_are_reached_and_nobody_held_out(twin: Installation) -> None:
    with duckdb.connect() as connection:
        published = twin.home / "published"
        connection.execute(f"attach '{published / 'current' / 'marts.duckdb'}' as m (read_only)")
        connection.execute(f"attach '{published / 'operations.duckdb'}' as o (read_only)")
        sent = one(connection, "select count(*) from o.sync_receipts where action = 'add'")
        assert sent[0] > 0
        wrong = one(
            connection,
            """
            select count(*)
            from o.sync_receipts as receipts
            inner join o.sync_plans as plans on receipts.plan_id = plans.plan_id
            left join m.consents as consents on receipts.consent_id = consents.consent_id
            left join m.customers as customers on receipts.customer_id = customers.customer_id
            left join o.holdouts as held
                on receipts.customer_id = held.customer_id and held."group" = 'holdout'
                and plans.audience = held.audience
            where receipts.action in ('add', 'update', 'message')
                and (
                    consents.is_granted is not true
                    or consents.customer_id <> receipts.customer_id
                    or plans.channel = 'mailchimp' and consents.channel <> 'email'
                    or plans.channel = 'twilio' and consents.channel <> 'sms'
                    or plans.channel = 'zalo_zns' and consents.channel <> 'zalo'
                    or plans.channel = 'onesignal' and consents.channel <> 'push'
                    or plans.channel like '%_ads' and consents.channel <> 'ads'
                    or plans.audience = 'cart_abandoners' and (
                        customers.carts_abandoned_3d = 0 or customers.orders_since_cart > 0
                    )
                    or held.customer_id is not null
                )
            """,
        )
    assert wrong[0] == 0


def test_the_platform_shows_each_receipt_once(twin: Installation) -> None:
    with duckdb.connect(str(twin.home / "published" / "operations.duckdb")) as operations:
        acknowledged = one(
            operations,
            "select count(distinct customer_id || sync_id) from sync_receipts "
            "join sync_plans using (plan_id, sync_id) where channel = 'mailchimp' "
            "and action = 'add' and sync_receipts.status = 'acknowledged'",
        )
    with sqlite3.connect(twin.home / "sandbox" / "mailchimp" / "state.sqlite") as platform:
        tagged = platform.execute(
            "select count(*), count(distinct member_id || tag) from effects "
            "where effect = 'tag_added' and request_id not like 'inbox/%'"
        ).fetchone()
    assert tagged == (acknowledged[0], acknowledged[0])


# Two whole runs more: the repeated build of the models is in tests/dbt_project/test_marts.py.
@pytest.mark.nightly
def test_a_run_with_nothing_new_loads_nothing_and_changes_nothing(
    twin: Installation, settled: Installation
) -> None:
    before = {file.name for file in twin.home.glob("lake/raw_*/*/*.parquet")}
    after = {file.name for file in settled.home.glob("lake/raw_*/*/*.parquet")}
    echo = {file.name for file in settled.home.glob("lake/raw_email/*/*.parquet")}
    assert before < after
    assert after - before <= echo, "only what we told the e-mail platform ourselves comes back"
    figures = "select count(*), sum(gross_revenue_amount), sum(order_count) from customers"
    with twin.marts() as first, settled.marts() as second:
        assert one(first, figures) == one(second, figures)
        ids = "select customer_id from customers order by 1"
        assert first.execute(ids).fetchall() == second.execute(ids).fetchall()
