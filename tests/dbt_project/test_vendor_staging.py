"""Vendors' tables spoken in our entities: the figures of the API route are those of the exports."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tiny_lake import TinyLake

from ingestion import verdicts
from ingestion.run import ingest
from ingestion.vars import dbt_sources, newest_event
from khach.environment import Environment
from sandbox import control, square, woocommerce

SOURCES = """sources:
  shop: {kind: woocommerce, area: web, currency: VND}
  tills: {kind: square, area: pos, currency: VND, loyalty: true}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The simulated retailer of size XS, shown through the vendors' APIs."""
    root = tmp_path_factory.mktemp("world")
    control.advance(root, size="XS")
    yield root
    woocommerce.stop(root)
    square.stop(root)


def accept(env: Environment, source: str) -> None:
    load = ingest(env, source)
    assert load is not None
    verdicts.accept(env, source, load.load_id, "test", None)


class Told:
    """Queries over the newest rows of the files that the simulation wrote."""

    def __init__(self, pattern: str, **tables: str) -> None:
        self.connection = duckdb.connect()
        for name, key in tables.items():
            self.connection.execute(
                f"create view {name} as select * from read_csv('{pattern.format(name)}', "
                f"filename=true, all_varchar=true) qualify row_number() over (partition by {key} "
                "order by filename desc) = 1"
            )

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()


@pytest.fixture
def lake(
    world: Path, env: Environment, modelling_project: Path, monkeypatch: pytest.MonkeyPatch
) -> TinyLake:
    """Shop and tills read through their vendors' APIs, and modelled."""
    monkeypatch.setenv("WOOCOMMERCE_URL", woocommerce.start(world, "ck", "cs")["url"])
    monkeypatch.setenv("WOOCOMMERCE_KEY", "ck")
    monkeypatch.setenv("WOOCOMMERCE_SECRET", "cs")
    monkeypatch.setenv("SQUARE_URL", square.start(world, "token")["url"])
    monkeypatch.setenv("SQUARE_ACCESS_TOKEN", "token")
    (env.config / "sources.yml").write_text(SOURCES)
    accept(env, "shop")
    accept(env, "tills")
    assert str(newest_event(env)).startswith("2026-06-29")
    lake = TinyLake(env, modelling_project, dbt_sources(env), as_of="2026-06-29 19:00:00")
    lake.build()
    return lake


ORDERS = """select status, count(distinct order_id), sum(line_amount)::int, sum(units)::int,
sum(discount_amount)::int, count(distinct coupon_code), min(ordered_at)
from intermediate.int_orders join intermediate.int_order_lines using (order_id)
where int_orders.source = '{}' group by 1 order by 1"""
REFUNDS = """select count(*), count(order_id), sum(refund_amount)::int, max(refunded_at)
from intermediate.int_refunds where source = '{}'"""
PAYMENTS = """select count(*), count(order_id), sum(amount)::int, min(paid_at)
from intermediate.int_payments where source = '{}'"""


def test_figures_by_api_are_those_of_the_exports(world: Path, lake: TinyLake) -> None:
    compare_the_shop(world, lake)
    compare_the_tills(world, lake)


def compare_the_shop(world: Path, lake: TinyLake) -> None:
    told = Told(
        f"{world}/exports/web_shop/{{}}-*", orders="order_id", order_lines="order_line_id",
        refunds="refund_id", payments="payment_id", members="user_id", products="product_id",
    )  # fmt: skip
    assert lake.rows(ORDERS.format("shop")) == told.rows(
        "select status, count(distinct order_id), sum(amount::int), sum(quantity::int), "
        "sum(discount::int), count(distinct coupon_code), "
        "min(ordered_at::timestamp) - interval 7 hour "
        "from orders join order_lines using (order_id) group by 1 order by 1"
    )
    for name, found in (("refund", REFUNDS), ("paid", PAYMENTS)):
        table, end, at = ("refunds", "max", "refunded_at") if name == "refund" else (
            "payments", "min", "paid_at")  # fmt: skip
        assert lake.rows(found.format("shop")) == told.rows(
            f"select count(*), count(*), sum(amount::int), {end}({at}::timestamp) - "
            f"interval 7 hour from {table}"
        )
    names = "select distinct trim(regexp_replace(full_name, '\\s+', ' ', 'g')) from {}"
    staged = names.format("staging.stg_woocommerce__customers")
    assert set(lake.rows(staged)) == set(told.rows(names.format("members")))
    products = "select count(*), sum(price)::int, count(distinct {}) from {}"
    for vendor in ("woocommerce", "square"):
        staged = products.format("category", f"staging.stg_{vendor}__products")
        assert lake.rows(staged) == told.rows(
            "select count(*), sum(price::int), count(distinct category) from products"
        )


def compare_the_tills(world: Path, lake: TinyLake) -> None:
    told = Told(
        f"{world}/tills/inbox/*/{{}}.csv", receipts="receipt_id", receipt_lines="receipt_line_id",
        returns="return_id", payments="payment_id", members="member_number", stores="store_id",
    )  # fmt: skip
    found = lake.rows(ORDERS.format("tills"))
    assert found == told.rows(
        "select status, count(distinct receipt_id), sum(amount::int), sum(quantity::int), "
        "sum(discount::int), 0, min(sold_at::timestamp) "
        "from receipts join receipt_lines using (receipt_id) group by 1 order by 1"
    )
    assert {row[0] for row in found} == {"completed", "returned"}
    assert lake.rows(REFUNDS.format("tills")) == told.rows(
        "select count(*), count(*), sum(amount::int), max(returned_at::timestamp) from returns"
    )
    assert lake.rows(PAYMENTS.format("tills")) == told.rows(
        "select count(*), count(*), sum(amount::int), min(paid_at::timestamp) from payments"
    )
    people = "select count(*), count(phone), count(email), count({}), min({})::timestamp from {}"
    staged = people.format("birth_date", "loyalty_enrolled_at", "staging.stg_square__customers")
    assert lake.rows(staged) == told.rows(people.format("birth_date", "enrolled_at", "members"))
    cards = "select count(*), count(distinct {}) from {}"
    assert lake.rows(
        cards.format("external_id", "staging.stg_square__orders") + " where external_id is not null"
    ) == told.rows(cards.format("member_number", "receipts") + " where member_number is not null")
    # Only who is no customer there is known by whom the order is for.
    phones = "select count(phone) > 0, count(phone) from {}"
    assert lake.rows(phones.format("staging.stg_square__orders")) == told.rows(
        phones.format("receipts")
    )
    staged = "select store_id, store_name, province from {} order by 1"
    assert lake.rows(staged.format("staging.stg_square__stores")) == told.rows(
        staged.format("stores")
    )
