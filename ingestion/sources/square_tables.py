"""Square's raw tables in the vendor's words, and how the pages of its API become their rows.

Money is the API's whole number of the currency's smallest unit. `_is_deleted`: the vendor says that
it is gone, or that it never came to be (a payment or refund that was cancelled or failed).
"""

from __future__ import annotations

from typing import Any

from ingestion.shapes import Shape
from ingestion.spec import TableSpec

_PLACE = {"_is_deleted": "b", "_extra": "j", "_file": "v", "_row": "i"}
# Column to type letter; a name with a dot is read from inside an object: total_money.amount.
_FIELDS = {
    "locations": "id name status timezone currency country created_at:t address:j",
    "customers": "id reference_id given_name family_name email_address phone_number birthday "
    "created_at:t updated_at:t version:i address:j preferences:j",
    "orders": "id location_id customer_id reference_id state created_at:t updated_at:t "
    "closed_at:t version:i total_money.amount:i total_money.currency "
    "net_amount_due_money.amount:i line_items:j discounts:j returns:j refunds:j tenders:j "
    "fulfillments:j metadata:j",
    "payments": "id order_id customer_id location_id status source_type created_at:t "
    "updated_at:t total_money.amount:i total_money.currency wallet_details:j",
    "refunds": "id payment_id order_id location_id status reason created_at:t updated_at:t "
    "amount_money.amount:i amount_money.currency",
    "catalog": "id type updated_at:t version:i item_data:j category_data:j",
    "loyalty_accounts": "id program_id customer_id balance:i lifetime_points:i enrolled_at:t "
    "created_at:t updated_at:t mapping:j",
}
_DELETED = {
    "payments": "item.status in ('CANCELED', 'FAILED')",
    "refunds": "item.status in ('REJECTED', 'FAILED')",
    "catalog": "coalesce(item.is_deleted, '') = 'true'",
}
# Where the answers have another word for the collection.
_ARRAYS = {"catalog": "objects"}


def _fields(table: str) -> dict[str, str]:
    pairs = (word.partition(":") for word in _FIELDS[table].split())
    return {name: letter or "v" for name, _, letter in pairs}


def _column(field: str) -> str:
    """total_money.amount lands as total_amount."""
    return field.replace("_money.", "_")


def _shape(table: str) -> Shape:
    fields = _fields(table)
    members: dict[str, Any] = {
        name.partition(".")[0]: {"amount": "VARCHAR", "currency": "VARCHAR"}
        if "." in name
        else ("JSON" if letter == "j" else "VARCHAR")
        for name, letter in fields.items()
    }
    if table == "catalog":
        members["is_deleted"] = "VARCHAR"
    columns = {_column(name): f"item.{name}" for name in fields}
    columns["_is_deleted"] = f"cast(coalesce({_DELETED.get(table, 'false')}, false) as varchar)"
    return Shape(_ARRAYS.get(table, table), members, columns)


TABLES = {
    table: TableSpec(
        table, {_column(name): letter for name, letter in _fields(table).items()} | _PLACE
    )
    for table in _FIELDS
}
SHAPES = {table: _shape(table) for table in _FIELDS}
