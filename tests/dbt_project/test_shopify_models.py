"""A Shopify shop from landed nodes to our entities; nightly, all the way to the marts."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from shop_story import MAIL, SHOP, TILLS, WEB
from tiny_lake import TinyLake

from khach.environment import PROJECT, Environment

SHOPIFY = {"name": "store", "kind": "shopify", "namespace": "store", "area": "web"}
MOMENT = "2026-01-01 03:00:00"


def order(number: int, **changed: Any) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/Order/{number}", "created_at": MOMENT, "processed_at": MOMENT,
        "updated_at": MOMENT, "source_name": "web", "currency_code": "VND", "test": False,
        "display_financial_status": "PAID", "display_fulfillment_status": "FULFILLED",
        "customer_gid": "gid://shopify/Customer/7", "discount_codes": '["TET","NEW"]',
        "cancelled_at": None, "retail_location_gid": None, "_is_deleted": False,
    } | changed  # fmt: skip


ORDERS = [
    order(1),
    order(2, source_name="pos", retail_location_gid="gid://shopify/Location/5"),
    order(3, display_financial_status="PENDING"),
    order(4, cancelled_at="2026-01-02 00:00:00"),
    order(5, display_financial_status="REFUNDED"),
    order(6, display_financial_status="AUTHORIZED", display_fulfillment_status="UNFULFILLED"),
    order(7, display_financial_status="VOIDED", source_name="1234567"),
    order(8),
]
GONE = {"id": "gid://shopify/Order/8", "updated_at": "2026-02-01 00:00:00", "_is_deleted": True}
ALLOCATED = [{"allocatedAmountSet": {"shopMoney": {"amount": a}}} for a in ("10.00", "2.5000")]
LINE = {
    "id": "gid://shopify/LineItem/11", "order_gid": "gid://shopify/Order/1", "title": "Áo",
    "variant_title": "M", "quantity": 2, "variant_gid": "gid://shopify/ProductVariant/21",
    "product_gid": "gid://shopify/Product/31", "original_unit_price": Decimal("99.9500"),
    "currency_code": "VND", "discount_allocations": json.dumps(ALLOCATED), "_is_deleted": False,
}  # fmt: skip
PAYMENT = {
    "id": "gid://shopify/OrderTransaction/41", "order_gid": "gid://shopify/Order/1",
    "kind": "SALE", "status": "SUCCESS", "gateway": "cash", "processed_at": MOMENT,
    "transaction_amount": Decimal("200.0000"), "currency_code": "VND", "_is_deleted": False,
}  # fmt: skip
CHANGE = PAYMENT | {
    "id": "gid://shopify/OrderTransaction/42", "kind": "CHANGE",
    "transaction_amount": Decimal("12.6000"),
}  # fmt: skip
FAILED = PAYMENT | {"id": "gid://shopify/OrderTransaction/43", "_is_kept": False}
REFUND = {
    "id": "gid://shopify/Refund/51", "order_gid": "gid://shopify/Order/5",
    "processed_at": MOMENT, "total_refunded": Decimal("5.0000"), "currency_code": "VND",
    "_is_deleted": False,
}  # fmt: skip


def customer(number: int, state: str, moved: str | None, country: str | None) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/Customer/{number}", "first_name": "Lan", "last_name": "Nguyễn",
        "email_address": f"c{number}@hoa.example", "email_marketing_state": state,
        "email_marketing_updated_at": moved, "sms_marketing_state": "NOT_SUBSCRIBED",
        "sms_marketing_updated_at": None, "country_code": country, "created_at": MOMENT,
        "updated_at": MOMENT, "_is_deleted": False,
    }  # fmt: skip


CUSTOMERS = [
    customer(7, "SUBSCRIBED", MOMENT, "VN"),
    customer(8, "UNSUBSCRIBED", MOMENT, "US"),
    customer(9, "NOT_SUBSCRIBED", None, "VN"),
    customer(10, "PENDING", None, None),
    customer(11, "NOT_SUBSCRIBED", MOMENT, "VN"),
]
VARIANT = {
    "id": "gid://shopify/ProductVariant/21", "title": "Default Title", "sku": "A-1",
    "variant_price": Decimal("99.9500"), "product_title": "Áo", "product_type": "Áo",
    "vendor": "", "updated_at": MOMENT, "product_updated_at": MOMENT, "_is_deleted": False,
}  # fmt: skip
PLACE = {
    "id": "gid://shopify/Location/5", "name": "Chợ", "address_province": None, "city": "Huế",
    "updated_at": MOMENT, "_is_deleted": False,
}  # fmt: skip


def landed(lake: TinyLake) -> TinyLake:
    tables = {
        "shop_orders": [*ORDERS, GONE], "line_items": [LINE], "customers": CUSTOMERS,
        "order_transactions": [PAYMENT, CHANGE, FAILED], "shop_refunds": [REFUND],
        "product_variants": [VARIANT], "locations": [PLACE],
    }  # fmt: skip
    for table, rows in tables.items():
        lake.land("store", table, "1.5", rows, "accepted")
    return lake


@pytest.fixture
def lake(env: Environment, staging_project: Path) -> TinyLake:
    return landed(TinyLake(env, staging_project, [SHOPIFY]))


def test_a_shop_speaks_our_entities(lake: TinyLake) -> None:
    lake.build("-s", "staging.shopify")
    assert lake.rows(
        "select order_id, channel, store_id, status, user_id, coupon_code, _is_deleted "
        "from staging.stg_shopify__orders order by order_id"
    ) == [
        ("1", "web", None, "completed", "7", "TET", False),
        ("2", "store", "5", "completed", "7", "TET", False),
        ("3", "web", None, "fulfilled", "7", "TET", False),
        ("4", "web", None, "cancelled", "7", "TET", False),
        ("5", "web", None, "returned", "7", "TET", False),
        ("6", "web", None, "pending", "7", "TET", False),
        ("7", None, None, "cancelled", "7", "TET", False),
        ("8", None, None, "pending", None, None, True),
    ]
    columns = "order_line_id, order_id, product_id, product_name, units, discount, line_amount"
    assert lake.rows(f"select {columns} from staging.stg_shopify__order_lines") == [
        ("11", "1", "21", "Áo - M", 2, Decimal("12.5000"), Decimal("187.4000"))
    ]
    assert lake.rows("select sum(amount), count(*) from staging.stg_shopify__payments") == [
        (Decimal("187.4000"), 2)
    ]
    assert lake.rows("select amount, order_id from staging.stg_shopify__refunds") == [(5, "5")]
    assert lake.rows(
        "select record_id, full_name from staging.stg_shopify__customers where record_id in "
        "('7', '8', '10') order by 1"
    ) == [("10", "Nguyễn Lan"), ("7", "Nguyễn Lan"), ("8", "Lan Nguyễn")]
    # Who was never asked has no row; what is not a yes is a no.
    assert lake.rows(
        "select consent_id, is_granted from staging.stg_shopify__consents order by consent_id"
    ) == [("10:email", False), ("11:email", False), ("7:email", True), ("8:email", False)]
    assert lake.rows(
        "select product_id, product_name, brand from staging.stg_shopify__products"
    ) == [("21", "Áo", None)]
    assert lake.rows("select store_id, province from staging.stg_shopify__stores") == [("5", "Huế")]


@pytest.mark.nightly
def test_the_marts_and_the_account_of_rows_hold_the_shop(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KHACH_HOME", str(env.home))
    mail = MAIL | {"landed": ["ecommerce_carts"]}
    sources = [SHOPIFY, SHOP, TILLS, WEB, mail]
    lake = landed(TinyLake(env, PROJECT / "dbt_project", sources))
    lake.land("mail", "ecommerce_carts", "1.5", [{"cart_id": "c1"}], "accepted")
    lake.build()
    assert lake.rows(
        "select rows_in_marts, rows_filtered from intermediate.row_accounting "
        "where source = 'mail' and table_name = 'ecommerce_carts'"
    ) == [(0, 1)]
    assert lake.rows("select sum(line_amount) from main.order_lines") == [(Decimal("187.4000"),)]
    assert lake.rows(
        "select table_name, rows_in_marts, rows_duplicate, rows_filtered from "
        "intermediate.row_accounting where source = 'store' order by table_name"
    ) == [
        ("customers", 5, 0, 0),
        ("line_items", 1, 0, 0),
        ("locations", 1, 0, 0),
        ("order_transactions", 2, 0, 1),
        ("product_variants", 1, 0, 0),
        ("shop_orders", 7, 1, 1),
        ("shop_refunds", 1, 0, 0),
    ]
