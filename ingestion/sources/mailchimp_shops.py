"""What a Mailchimp account's shops told it: stores, orders, carts, customers.

The API cannot be asked for what changed only: they are read whole, and landed when changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion.parquet import literal
from ingestion.shapes import Shape
from ingestion.spec import TableSpec

if TYPE_CHECKING:
    from ingestion.sources.mailchimp_reading import AccountReading

_PLACE = {"_extra": "j", "_file": "v", "_row": "i"}
# Money is text of the account's own currency.
_ORDER = {
    "order_id": ("id", "v"),
    "store_id": ("store_id", "v"),
    "customer": ("customer", "j"),
    "campaign_id": ("campaign_id", "v"),
    "landing_site": ("landing_site", "v"),
    "financial_status": ("financial_status", "v"),
    "fulfillment_status": ("fulfillment_status", "v"),
    "currency_code": ("currency_code", "v"),
    "order_total": ("order_total", "n"),
    "discount_total": ("discount_total", "n"),
    "tax_total": ("tax_total", "n"),
    "shipping_total": ("shipping_total", "n"),
    "processed_at": ("processed_at_foreign", "t"),
    "cancelled_at": ("cancelled_at_foreign", "t"),
    "updated_at": ("updated_at_foreign", "t"),
    "promos": ("promos", "j"),
    "lines": ("lines", "j"),
}
_CART = {
    "cart_id": ("id", "v"),
    "store_id": (None, "v"),
    "customer": ("customer", "j"),
    "campaign_id": ("campaign_id", "v"),
    "currency_code": ("currency_code", "v"),
    "order_total": ("order_total", "n"),
    "lines": ("lines", "j"),
    "created_at": ("created_at", "t"),
    "updated_at": ("updated_at", "t"),
}
_CUSTOMER = {
    "customer_id": ("id", "v"),
    "store_id": (None, "v"),
    "email_address": ("email_address", "v"),
    "opt_in_status": ("opt_in_status", "b"),
    "first_name": ("first_name", "v"),
    "last_name": ("last_name", "v"),
    "orders_count": ("orders_count", "i"),
    "total_spent": ("total_spent", "n"),
    "created_at": ("created_at", "t"),
    "updated_at": ("updated_at", "t"),
}
_STORE = {
    "store_id": ("id", "v"), "list_id": ("list_id", "v"), "name": ("name", "v"),
    "platform": ("platform", "v"), "domain": ("domain", "v"),
    "currency_code": ("currency_code", "v"), "created_at": ("created_at", "t"),
    "updated_at": ("updated_at", "t"),
}  # fmt: skip


def _ecommerce(name: str, fields: Mapping[str, tuple[str | None, str]]) -> tuple[TableSpec, Shape]:
    """A table of what the shops told, and its shape; a field None stands in the path only."""
    table = TableSpec(
        f"ecommerce_{name}", {column: letter for column, (_, letter) in fields.items()} | _PLACE
    )
    leaves = {
        field: "JSON" if letter == "j" else "VARCHAR" for field, letter in fields.values() if field
    }
    columns = {
        # A time that is not known comes as an empty text.
        column: (f"nullif(item.{field}, '')" if letter == "t" else f"item.{field}")
        if field
        else "split_part(_file, '/', 3)"
        for column, (field, letter) in fields.items()
    }
    return table, Shape(name, leaves, columns)


_BOTH = (
    _ecommerce("stores", _STORE),
    _ecommerce("orders", _ORDER),
    _ecommerce("carts", _CART),
    _ecommerce("customers", _CUSTOMER),
)
TABLES = {table.name: table for table, _ in _BOTH}
SHAPES = {table.name: shape for table, shape in _BOTH}


def read_shops(reading: AccountReading) -> None:
    """The stores, their orders, and of each store the carts and customers."""
    stores = _whole(reading, "stores", ["ecommerce/stores"])
    sql = f"select store_id from read_parquet({literal(stores)}) order by store_id"
    found = [row[0] for row in reading.connection.execute(sql).fetchall()]
    _whole(reading, "orders", ["ecommerce/orders"])
    for name in ("carts", "customers"):
        if found:
            _whole(reading, name, [f"ecommerce/stores/{one}/{name}" for one in found])


def _whole(reading: AccountReading, name: str, paths: list[str]) -> Path:
    reader = reading.reader(f"ecommerce_{name}")
    for path in paths:
        reading.read(reader, path)
    file = reader.close()
    reading.keep_when_changed(reader, file)
    return file
