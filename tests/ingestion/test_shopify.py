"""Shopify as a source, against the vendor's own schema executed on this machine."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest
from graphql import GraphQLSchema, build_schema, parse, validate
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from landed_data import Configure
from shop_server import FIRST, TOKEN, Answer, Shop, filled, gid, money, serve

from ingestion import rest, verdicts
from ingestion.contract import ContractError
from ingestion.quarantine import read_quarantine
from ingestion.replay import replay
from ingestion.run import LandedLoad, check_source, find_source, ingest
from ingestion.sources import shopify_api, shopify_reading
from ingestion.sources.shopify_queries import bulk_query, documents
from ingestion.sources.shopify_tables import ROOTS, NodeTable
from ingestion.spec import Backfill
from khach.environment import Environment
from khach.errors import BusyError, ConfigError, KhachError

pytestmark = pytest.mark.specs
TABLES = {table.name: table for root in ROOTS for table in root.tables}
LATER = FIRST + timedelta(days=2)
SOURCE = "sources:\n  shop: {kind: shopify, area: web, currency: VND}\n"


@dataclass
class Account:
    """A shop, and an installation that reads it."""

    shop: Shop
    env: Environment

    def ingest(self) -> LandedLoad | None:
        return ingest(self.env, "shop")

    def counts(self) -> dict[str, int]:
        """Rows landed per table of one more load; nothing for tables without a delivery."""
        load = self.ingest()
        return {} if load is None else {t: c.rows_landed for t, c in load.tables.items()}

    def landed(self, table: str, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
        files = f"{self.env.lake}/raw_shop/{table}/*.parquet"
        with duckdb.connect() as connection:
            return connection.execute(
                f"select {columns} from read_parquet('{files}') where {where} order by all"
            ).fetchall()

    def current(self, table: str, column: str = "id") -> set[str]:
        """What is there after all loads: the newest version of each key, without tombstones."""
        clock = "updated_at" if "updated_at" in TABLES[table].table.columns else "null"
        load = "cast(regexp_extract(filename, '([^/]+)[.][^./]+[.]parquet$', 1) as double)"
        sql = (
            f"select {column} from (select *, row_number() over (partition by id order by {clock} "
            f"desc, {load} desc, _file desc, _row desc) as version from read_parquet("
            f"'{self.env.lake}/raw_shop/{table}/*.parquet', filename=true)) "
            "where version = 1 and not _is_deleted"
        )
        with duckdb.connect() as connection:
            return {row[0] for row in connection.execute(sql).fetchall()}


@pytest.fixture(scope="module")
def schema(request: pytest.FixtureRequest) -> GraphQLSchema:
    specs = request.config.rootpath.parent / "shared" / "specs"
    return build_schema((specs / "shopify" / "admin_2026-07.graphql").read_text(encoding="utf-8"))


@pytest.fixture
def account(
    schema: GraphQLSchema,
    env: Environment,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Account]:
    monkeypatch.setattr(rest, "BACKOFF_SECONDS", 0.01)
    configure(SOURCE)
    with serve(filled(schema)) as shop:
        monkeypatch.setattr(shopify_api, "pause", shop.restore)
        monkeypatch.setenv("SHOPIFY_SHOP_URL", shop.url)
        monkeypatch.setenv("SHOPIFY_ACCESS_TOKEN", TOKEN)
        yield Account(shop, env)


def test_every_query_is_one_that_the_vendor_publishes(schema: GraphQLSchema) -> None:
    for name, text in documents().items():
        assert validate(schema, parse(text)) == [], name
        # The judge can say no: of a field that is not there, and of a type that does not fit.
        wrong = text.replace(" id ", " idd ", 1) if " id " in text else text.replace("name", "nam")
        assert validate(schema, parse(wrong)), name
    page = documents()["orders page"]
    assert validate(schema, parse(page.replace("$first: Int!", "$first: String!")))


def test_history_comes_by_bulk_operations_and_nothing_new_lands_nothing(account: Account) -> None:
    account.shop.polls = 4
    assert account.counts() == {
        "shop_orders": 30, "line_items": 60, "order_transactions": 60, "shop_refunds": 0,
        "customers": 5, "product_variants": 4, "locations": 1,
    }  # fmt: skip
    assert len(account.shop.operations) == 3
    assert account.landed(
        "line_items", "title, original_unit_price, order_gid", "id like '%/100'"
    ) == [('Áo "mới" / đỏ', 150_000, gid("Order", 1))]
    kept = account.landed("order_transactions", "count(*), count(*) filter (_is_kept)")
    assert kept == [(60, 30)]
    account.shop.asked.clear()
    assert account.ingest() is None
    # One small request a root: nothing else was asked.
    assert sorted(account.shop.asked) == ["customers", "locations", "orders", "products"]


def test_an_order_that_changes_after_the_fact_lands_again(account: Account) -> None:
    account.ingest()
    account.shop.order(3, LATER, refund="135000.00", cancelledAt="2026-01-03T03:00:00Z")
    account.shop.order(99, LATER)
    account.shop.customer(2, LATER)
    landed = account.counts()
    again = 13  # orders of the last six hours of history
    assert landed["shop_orders"] == again + 2
    assert landed["shop_refunds"] == 1
    assert "product_variants" not in landed
    found = account.landed("shop_orders", "total_refunded", f"id = '{gid('Order', 3)}'")
    assert found == [(0,), (135_000,)]
    assert account.ingest() is None
    assert account.current("shop_orders") == set(account.shop.orders)


def test_a_node_with_more_inside_than_a_page_is_read_to_its_end(account: Account) -> None:
    account.ingest()
    account.shop.order(50, LATER, lines=47)
    account.shop.product(9, LATER, variants=45)
    account.ingest()
    lines = {one["id"] for order in account.shop.orders.values() for one in order["lineItems"]}
    assert account.current("line_items") == lines
    variants = {v["id"] for p in account.shop.products.values() for v in p["variants"]}
    assert account.current("product_variants") == variants


def test_a_backfill_reads_its_days_and_leaves_the_cursor(account: Account) -> None:
    account.ingest()
    account.shop.order(2, FIRST + timedelta(hours=1), refund="5000.00")  # its time did not move
    account.shop.order(98, LATER)
    day = FIRST.date()
    load = ingest(account.env, "shop", part=Backfill(day, day, day))
    assert load is not None
    assert load.tables["shop_orders"].rows_landed == 30
    assert account.landed("shop_refunds", "total_refunded") == [(5_000,)]
    account.ingest()
    assert account.current("shop_orders") == set(account.shop.orders)


def test_test_orders_are_not_asked_for(account: Account) -> None:
    account.shop.order(77, LATER, test=True)
    account.ingest()
    account.shop.order(78, LATER, test=True)
    account.ingest()
    assert account.landed("shop_orders", "count(*)", "test") == [(0,)]


def test_a_spent_budget_is_waited_for_and_a_page_too_dear_is_asked_in_parts(
    account: Account,
) -> None:
    account.ingest()
    account.shop.most_cost = account.shop.budget = 900.0  # a page of orders costs 1,100
    for number in range(100, 160):
        account.shop.order(number, LATER + timedelta(minutes=number))
    account.ingest()
    assert account.current("shop_orders") == set(account.shop.orders)


def failing(*answers: Answer) -> list[Callable[[], Answer]]:
    return [lambda answer=answer: answer for answer in answers]


BUSY: Answer = (429, {}, b"")
THROTTLED = json.dumps(
    {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}
).encode()


@pytest.mark.parametrize(
    "answer",
    [
        BUSY,
        (429, {"Retry-After": "0"}, b""),
        (502, {}, b"<html>"),
        (200, {}, THROTTLED),
        (200, {}, b'{"errors":[{"message":"x","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}'),
    ],
    ids=["429", "429 with Retry-After", "502", "throttled", "internal error"],
)
def test_a_vendor_that_fails_twice_is_asked_again(account: Account, answer: Answer) -> None:
    account.shop.failures = failing(answer, answer)
    assert account.counts()["shop_orders"] == 30


@pytest.mark.parametrize(
    ("answers", "error", "says"),
    [
        ([(503, {}, b"")] * 9, BusyError, "busy"),
        ([(200, {}, THROTTLED)] * 50, BusyError, "THROTTLED"),
        ([(401, {}, b"{}")], ConfigError, "SHOPIFY_ACCESS_TOKEN"),
        ([(403, {}, b"{}")], ConfigError, "read_orders"),
        ([(404, {}, b"")], ConfigError, "address"),
        ([(402, {}, b"")], KhachError, "402"),
        ([(200, {}, b'{"data":{"bulkOpe')], BusyError, "cut off"),
        ([(200, {}, b'{"errors":[{"message":"no field an@x.example"}]}')], KhachError, "<email>"),
    ],
)
def test_a_vendor_that_refuses_leaves_the_lake_as_it_was(
    account: Account, answers: list[Answer], error: type[Exception], says: str
) -> None:
    account.shop.failures = failing(*answers)
    with pytest.raises(error) as raised:
        account.ingest()
    assert says in f"{raised.value} {getattr(raised.value, 'fix', '')}"
    assert TOKEN not in str(raised.value)
    assert not list(account.env.lake.glob("raw_shop/*/*.parquet"))


def test_an_answer_that_does_not_come_is_a_busy_vendor(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPIFY_SHOP_URL", "http://127.0.0.1:9")
    with pytest.raises(BusyError, match="no answer"):
        account.ingest()


def test_a_token_never_crosses_the_network_in_clear(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPIFY_SHOP_URL", "http://shop.example")
    with pytest.raises(ConfigError, match="SHOPIFY_SHOP_URL is not an https"):
        account.ingest()


def test_a_scope_that_is_missing_is_named(account: Account) -> None:
    account.ingest()
    account.shop.denied = {"customers"}
    with pytest.raises(ConfigError) as raised:
        account.ingest()
    assert "customers" in raised.value.message
    assert "read_customers" in str(raised.value.fix)


# Bulk operations -----------------------------------------------------------------------------


def test_another_operation_of_the_shop_is_waited_for(account: Account) -> None:
    account.shop.polls = 3
    account.shop.begin("{ products { edges { node { id } } } }")
    assert account.counts()["shop_orders"] == 30
    assert [o["status"] for o in account.shop.operations] == ["COMPLETED"] * 4


@pytest.mark.parametrize("outcome", ["FAILED:TIMEOUT", "FAILED:INTERNAL_SERVER_ERROR", "EXPIRED"])
def test_an_operation_that_fails_is_run_again(account: Account, outcome: str) -> None:
    account.shop.outcomes = [outcome, outcome]
    assert account.counts()["shop_orders"] == 30
    assert len(account.shop.operations) == 5


@pytest.mark.parametrize(
    ("outcomes", "error", "says"),
    [
        (["FAILED:TIMEOUT"] * 3, BusyError, "TIMEOUT"),
        (["FAILED:ACCESS_DENIED"], ConfigError, "may not read"),
        (["CANCELED"], BusyError, "cancelled"),
    ],
)
def test_an_operation_that_cannot_end_well_says_why(
    account: Account, outcomes: list[str], error: type[Exception], says: str
) -> None:
    account.shop.outcomes = outcomes
    with pytest.raises(error, match=says):
        account.ingest()
    assert not list(account.env.lake.glob("raw_shop/*/*.parquet"))


def test_an_operation_that_a_killed_run_began_is_taken_up(account: Account) -> None:
    account.shop.polls = 2
    account.shop.begin(bulk_query(ROOTS[0]))
    account.ingest()
    assert len(account.shop.operations) == 3
    # What a load has taken in is not taken in again, were the cursor lost.
    account.shop.order(99, LATER)
    (account.env.lake / "raw_shop" / "_deliveries").rename(account.env.lake / "gone")
    account.ingest()


def test_a_file_that_is_gone_is_asked_for_anew(account: Account) -> None:
    operation = account.shop.begin(bulk_query(ROOTS[0]))
    account.shop._work(operation)
    account.shop.files.clear()  # its address has expired
    assert account.counts()["shop_orders"] == 30


def test_a_file_that_comes_incomplete_lands_nothing(account: Account) -> None:
    account.shop.spoil = lambda body: body[: len(body) // 2]
    with pytest.raises(BusyError, match="found 30 orders and its file has"):
        account.ingest()
    assert not list(account.env.lake.glob("raw_shop/*/*.parquet"))


def test_rows_that_do_not_fit_go_to_the_quarantine(account: Account) -> None:
    def spoil(body: bytes) -> bytes:
        body = body.replace(b'"quantity": 1,', b'"quantity": 1.5,', 1)
        body = body.replace(b'"amount": "270000.00"', b'"amount": "270000.00001"', 1)
        return body.replace(b'"name": "#7"', b'"name": "#7', 1) + b"{no json}\n"

    account.shop.spoil = spoil
    load = account.ingest()
    assert load is not None
    found = {t: (c.rows_offered, c.rows_landed, c.rows_quarantined) for t, c in load.tables.items()}
    assert found["shop_orders"] == (31, 28, 3)
    assert found["line_items"] == (60, 59, 1)
    reasons = sorted(
        json.loads(line)["reason"]
        for path in (account.env.quarantine / "shop").rglob("*.ndjson")
        for line in path.read_text().splitlines()
    )
    assert "not valid JSON" in reasons
    assert "total_price is not of type decimal(18,4)" in reasons
    assert "quantity is not of type bigint" in reasons


def comma(order: dict[str, Any]) -> None:
    """An amount of the order's first payment as no API should write it."""
    order["transactions"][0]["amountSet"]["shopMoney"]["amount"] = "270000,50"


def test_a_payment_that_was_refused_lands_after_a_fix_with_its_order(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil_file(body: bytes) -> bytes:
        first, *lines = body.splitlines(keepends=True)
        order = json.loads(first)
        if "transactions" in order:
            comma(order)
        return b"".join([json.dumps(order).encode() + b"\n", *lines])

    query = shopify_api.ShopApi.query

    def spoil_page(*given: Any) -> bytes:
        answer = json.loads(query(*given))
        for node in answer["data"]["page"]["nodes"]:
            if node["id"] == gid("Order", 98):
                comma(node)
        return json.dumps(answer).encode()

    account.shop.spoil = spoil_file
    account.ingest()
    monkeypatch.setattr(shopify_api.ShopApi, "query", spoil_page)
    account.shop.order(98, LATER)
    account.ingest()
    tried = read_quarantine(account.env, "shop")
    assert {(row.table, row.bad.reason) for row in tried} == {
        ("order_transactions", "transaction_amount is not of type decimal(18,4)")
    }
    assert len(tried) == 2
    assert replay(account.env, "shop").load is None
    expressions = NodeTable.expressions

    def fixed(table: NodeTable) -> dict[str, str]:
        found = expressions(table)
        amount = found.get("transaction_amount", "null")
        return found | {"transaction_amount": f"replace({amount}, ',', '.')"}

    monkeypatch.setattr(NodeTable, "expressions", fixed)
    assert replay(account.env, "shop").load is not None
    assert not read_quarantine(account.env, "shop")
    landed = account.landed("order_transactions", "id, order_gid", "transaction_amount % 1 > 0")
    assert len(landed) == 2
    assert all(one.rpartition("/")[2] == order.rpartition("/")[2] for one, order in landed)


def test_a_field_that_changes_its_type_stops_its_table(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.ingest()
    query = shopify_api.ShopApi.query

    def flipped(*given: Any) -> bytes:
        answer = json.loads(query(*given))
        for node in answer["data"]["page"]["nodes"]:
            for line in node.get("lineItems", {}).get("nodes", ()):
                line["sku"] = {"code": line["sku"]}
        return json.dumps(answer).encode()

    monkeypatch.setattr(shopify_api.ShopApi, "query", flipped)
    account.shop.order(98, LATER)
    account.shop.customer(2, LATER)
    for _ in range(2):  # until somebody does something
        with pytest.raises(ContractError) as caught:
            account.ingest()
        message = caught.value.message
        assert "line_items: column sku changes its type from TEXT to OBJECT" in message
        assert caught.value.load is not None
        assert {"shop_orders", "order_transactions"} <= set(caught.value.load.tables)
        assert "line_items" not in caught.value.load.tables
    monkeypatch.setattr(shopify_api.ShopApi, "query", query)
    account.ingest()
    assert account.landed("line_items", "id", f"order_gid = '{gid('Order', 98)}'")
    assert account.ingest() is None


# Deletions -----------------------------------------------------------------------------------


def test_what_the_shop_deletes_becomes_a_tombstone(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.ingest()
    del account.shop.orders[gid("Order", 4)]
    account.shop.products[gid("Product", 2)]["variants"].pop()
    account.ingest()  # the compare is not due
    assert len(account.current("shop_orders")) == 30
    monkeypatch.setattr(shopify_reading, "now", lambda _env: datetime.now(UTC) + timedelta(days=8))
    landed = account.counts()
    assert landed["order_transactions"] >= 2
    assert account.current("shop_orders") == set(account.shop.orders)
    lines = {one["id"] for order in account.shop.orders.values() for one in order["lineItems"]}
    assert account.current("line_items") == lines
    assert len(account.current("product_variants")) == 3
    assert account.ingest() is None


def test_deletions_of_a_rejected_load_are_told_again(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.ingest()
    del account.shop.orders[gid("Order", 4)]
    for days in (8, 16):
        later = datetime.now(UTC) + timedelta(days=days)
        monkeypatch.setattr(shopify_reading, "now", lambda _env, later=later: later)
        load = account.ingest()
        assert load is not None
        assert load.tables["shop_orders"].rows_landed >= 1
        verdicts.reject(account.env, "shop", load.load_id, "test", "not yet")


def test_a_token_that_lost_a_scope_deletes_nothing(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(31, 60):
        account.shop.order(number, LATER)
    account.ingest()
    account.shop.orders = dict(list(account.shop.orders.items())[-30:])
    monkeypatch.setattr(shopify_reading, "now", lambda _env: datetime.now(UTC) + timedelta(days=8))
    with pytest.raises(KhachError, match="29 of 59 orders are gone"):
        account.ingest()


def test_check_names_the_shop(account: Account, configure: Configure) -> None:
    (item,) = check_source(account.env, find_source(account.env, "shop"))
    assert (item.item, item.found, item.problem) == ("shop Hoa", "VND, Asia/Ho_Chi_Minh", None)
    configure(SOURCE.replace("VND", "USD"))
    (item,) = check_source(account.env, find_source(account.env, "shop"))
    assert item.problem == "sources.yml says USD"


STEPS = st.sampled_from(["order", "refund", "delete", "busy", "customer", "moved while read"])


@settings(max_examples=2, phases=(Phase.explicit, Phase.generate))
@given(steps=st.lists(STEPS, min_size=3, max_size=5))
def test_any_sequence_of_changes_and_failures_ends_in_the_shop_as_it_is(
    schema: GraphQLSchema,
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[str],
) -> None:
    root = tmp_path_factory.mktemp("any")
    env = replace(Environment("dev", root / "home", root, root), home=root / "home")
    (root / "sources.yml").write_text(SOURCE.replace("area: web", "area: web, compare_days: 1"))
    with pytest.MonkeyPatch.context() as patch, serve(filled(schema, 4)) as shop:
        patch.setattr(rest, "BACKOFF_SECONDS", 0.01)
        patch.setattr(shopify_api, "pause", shop.restore)
        patch.setenv("SHOPIFY_SHOP_URL", shop.url)
        patch.setenv("SHOPIFY_ACCESS_TOKEN", TOKEN)
        account, moment = Account(shop, env), LATER
        account.ingest()
        for day, step in enumerate(steps, start=1):
            moment += timedelta(days=1)
            take(shop, step, day, moment)
            patch.setattr(
                shopify_reading, "now", lambda _e, d=day: datetime.now(UTC) + timedelta(days=2 * d)
            )
            try:
                account.ingest()
            except BusyError:
                shop.failures = []
                account.ingest()
        shop.on_page = None
        account.ingest()
        assert account.current("shop_orders") == set(shop.orders)
        refunds = {one["id"] for order in shop.orders.values() for one in order["refunds"]}
        assert account.current("shop_refunds") == refunds
        moved = {f"{c['id']} {c['updatedAt']}" for c in shop.customers.values()}
        text = "id || ' ' || strftime(updated_at, '%Y-%m-%dT%H:%M:%SZ')"
        assert account.current("customers", text) == moved


def take(shop: Shop, step: str, day: int, moment: datetime) -> None:
    """One thing that happens at the shop, or to the way there."""
    if step == "order":
        shop.order(100 + day, moment)
    elif step == "refund" and gid("Order", 1) in shop.orders:
        shop.order(1, moment, refund="1000.00", totalRefundedSet=money("1000.00"))
    elif step == "delete":
        shop.on_page = None
        shop.orders.pop(next(iter(shop.orders), ""), None)
    elif step == "busy":
        shop.order(200 + day, moment)
        shop.failures = [lambda: None, *failing(*[(503, {}, b"")] * 9)]
    elif step == "customer":
        shop.customer(3, moment)
    elif step == "moved while read" and gid("Order", 4) in shop.orders:
        shop.on_page = lambda: shop.order(4, moment + timedelta(minutes=5))
