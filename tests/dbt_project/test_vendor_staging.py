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
from sandbox import control, woocommerce

SHOP = "sources:\n  shop: {kind: woocommerce, area: web, currency: VND}\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The simulated retailer of size XS, shown through the vendors' APIs."""
    root = tmp_path_factory.mktemp("world")
    control.advance(root, size="XS")
    yield root
    woocommerce.stop(root)


def accept(env: Environment, source: str) -> None:
    load = ingest(env, source)
    assert load is not None
    verdicts.accept(env, source, load.load_id, "test", None)


def exported(root: Path, sql: str, **tables: str) -> list[tuple[Any, ...]]:
    """A query over the exports' newest rows: table -> (file name, key)."""
    with duckdb.connect() as connection:
        for name, key in tables.items():
            connection.execute(
                f"create view {name} as select * from read_csv('{root}/exports/web_shop/{name}-*',"
                f" filename=true, all_varchar=true) qualify row_number() over (partition by {key}"
                " order by filename desc) = 1"
            )
        return connection.execute(sql).fetchall()


def test_the_shop_by_api_is_the_shop_by_exports(
    world: Path, env: Environment, modelling_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = woocommerce.start(world, "ck", "cs")
    monkeypatch.setenv("WOOCOMMERCE_URL", running["url"])
    monkeypatch.setenv("WOOCOMMERCE_KEY", "ck")
    monkeypatch.setenv("WOOCOMMERCE_SECRET", "cs")
    (env.config / "sources.yml").write_text(SHOP)
    accept(env, "shop")
    assert str(newest_event(env)).startswith("2026-06-29")
    lake = TinyLake(env, modelling_project, dbt_sources(env), as_of="2026-06-29 19:00:00")
    lake.build()
    told = exported(
        world,
        "select status, count(distinct order_id), sum(amount::int), sum(quantity::int), "
        "sum(discount::int), count(distinct coupon_code) from orders join order_lines using "
        "(order_id) group by 1 order by 1",
        orders="order_id",
        order_lines="order_line_id",
    )
    found = lake.rows(
        "select status, count(distinct order_id), sum(line_amount)::int, sum(units)::int, "
        "sum(discount_amount)::int, count(distinct coupon_code) from intermediate.int_orders "
        "join intermediate.int_order_lines using (order_id) group by 1 order by 1"
    )
    assert found == told and len(told) == 5
    refunds = exported(world, "select count(*), sum(amount::int) from refunds", refunds="refund_id")
    assert refunds == lake.rows(
        "select count(*), sum(refund_amount)::int from intermediate.int_refunds"
    )
    payments = exported(
        world, "select count(*), sum(amount::int), min(paid_at::timestamp) - interval 7 hour "
        "from payments", payments="payment_id",
    )  # fmt: skip
    assert payments == lake.rows(
        "select count(*), sum(amount)::int, min(paid_at) from intermediate.int_payments"
    )
    # Guests and accounts are people; the names come in the order in which they are written there.
    names = exported(
        world,
        "select distinct trim(regexp_replace(full_name, '\\s+', ' ', 'g')) from members",
        members="user_id",
    )
    assert set(names) == set(
        lake.rows("select distinct full_name from staging.stg_woocommerce__customers")
    )
