"""WooCommerce's raw tables in the vendor's words, and how the pages of its API become their rows.

Money is text in the API and decimal here; `date_*_gmt` is UTC without saying so.
"""

from __future__ import annotations

from ingestion.shapes import Shape
from ingestion.spec import TableSpec

_PLACE = {"_is_deleted": "b", "_extra": "j", "_file": "v", "_row": "i"}
TABLES = {
    name: TableSpec(name, columns | _PLACE)
    for name, columns in {
        "orders": {
            "id": "v", "parent_id": "v", "number": "v", "status": "v", "currency": "v",
            "created_via": "v", "customer_id": "v", "date_created_gmt": "t",
            "date_modified_gmt": "t", "date_paid_gmt": "t", "date_completed_gmt": "t",
            "discount_total": "n", "shipping_total": "n", "total_tax": "n", "total": "n",
            "prices_include_tax": "b", "payment_method": "v", "billing": "j", "shipping": "j",
            "line_items": "j", "tax_lines": "j", "shipping_lines": "j", "fee_lines": "j",
            "coupon_lines": "j", "refunds": "j", "meta_data": "j",
        },
        "order_refunds": {
            "id": "v", "order_id": "v", "date_created_gmt": "t", "amount": "n", "reason": "v",
            "line_items": "j", "meta_data": "j",
        },
        "customers": {
            "id": "v", "role": "v", "email": "v", "first_name": "v", "last_name": "v",
            "is_paying_customer": "b", "date_created_gmt": "t", "date_modified_gmt": "t",
            "billing": "j", "shipping": "j", "meta_data": "j",
        },
        "products": {
            "id": "v", "parent_id": "v", "name": "v", "sku": "v", "type": "v", "status": "v",
            "price": "n", "regular_price": "n", "date_created_gmt": "t", "date_modified_gmt": "t",
            "categories": "j", "tags": "j", "attributes": "j", "meta_data": "j",
        },
    }.items()
}  # fmt: skip


def _shape(table: str, **expressions: str) -> Shape:
    """Every column is the field of its own name; an empty text of a typed column is no value."""
    columns: dict[str, str] = {}
    types = {}
    for name, letter in TABLES[table].columns.items():
        if name in _PLACE or name in expressions:
            continue
        types[name] = "JSON" if letter == "j" else "VARCHAR"
        columns[name] = f"item.{name}" if letter in "vj" else f"nullif(item.{name}, '')"
    placed = {"_is_deleted": "'false'"}
    return Shape("", types, columns | expressions | placed)


SHAPES = {
    "orders": _shape("orders"),
    # The answer does not name the order: it is in the path that was asked.
    "order_refunds": _shape(
        "order_refunds", order_id="regexp_extract(_file, 'orders/([0-9]+)/refunds', 1)"
    ),
    "customers": _shape("customers"),
    "products": _shape("products"),
}
