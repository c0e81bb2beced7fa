"""Rows of the tills as Square's JSON; what is not there is left out, as Square does."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox.square.tills import SOURCE_TYPES

Row = dict[str, Any]


def location(row: Row) -> Row:
    """A store."""
    return {
        "id": row["id"], "name": row["store_name"], "timezone": "Asia/Ho_Chi_Minh",
        "status": "ACTIVE", "country": "VN", "currency": "VND", "type": "PHYSICAL",
        "address": {"administrative_district_level_1": row["province"], "country": "VN"},
    }  # fmt: skip


def customer(row: Row) -> Row:
    """A holder of the card, whose number is the `reference_id`."""
    family, _, given = (row["full_name"] or "").partition(" ")
    told = {
        "id": _customer_id(row["id"]), "created_at": _at(row["created_at"]),
        "updated_at": _at(row["updated_at"]), "given_name": given, "family_name": family,
        "email_address": row["email"], "phone_number": row["phone"],
        "birthday": row["birth_date"], "reference_id": row["id"],
        "address": {"administrative_district_level_1": row["province"],
                    "locality": row["ward"], "country": "VN"},
        "creation_source": "INSTANT_PROFILE", "version": 1,
    }  # fmt: skip
    told["address"] = {name: value for name, value in told["address"].items() if value}
    return {name: value for name, value in told.items() if value}


def order(row: Row, lines: list[Row]) -> Row:
    """A receipt, or the order that a return is."""
    told = {
        "id": row["id"], "location_id": row["location_id"], "source": {"name": "till"},
        "created_at": _at(row["created_at"]), "updated_at": _at(row["updated_at"]),
        "closed_at": _at(row["created_at"]), "state": "COMPLETED", "version": 1,
    }  # fmt: skip
    if row["member_number"]:
        told["customer_id"] = _customer_id(row["member_number"])
    if row["returned_order"]:
        amount = _money(row["returned_amount"])
        told["returns"] = [{"uid": "return", "source_order_id": row["returned_order"],
                            "return_amounts": {"total_money": amount}}]  # fmt: skip
        told["return_amounts"] = {"total_money": amount}
        return told | _totals(0, 0)
    if row["phone"]:
        recipient = {"recipient": {"phone_number": row["phone"]}}
        told["fulfillments"] = [
            {"uid": "pickup", "type": "PICKUP", "state": "COMPLETED", "pickup_details": recipient}
        ]
    told["line_items"] = [_line(line) for line in lines]
    discount = sum(line["discount"] for line in lines)
    return told | _totals(sum(line["amount"] for line in lines), discount)


def payment(row: Row) -> Row:
    """A payment of a receipt."""
    told = {
        "id": row["id"], "order_id": row["order_id"], "location_id": row["location_id"],
        "created_at": _at(row["created_at"]), "updated_at": _at(row["updated_at"]),
        "status": "COMPLETED", "source_type": SOURCE_TYPES[row["method"]],
        "amount_money": _money(row["amount"]), "total_money": _money(row["amount"]),
    }  # fmt: skip
    if row["member_number"]:
        told["customer_id"] = _customer_id(row["member_number"])
    return told


def refund(row: Row) -> Row:
    """Money given back for a payment."""
    return {
        "id": row["id"], "status": "COMPLETED", "location_id": row["location_id"],
        "unlinked": False, "amount_money": _money(row["amount"]), "payment_id": row["payment_id"],
        "order_id": row["order_id"], "reason": "Returned goods",
        "created_at": _at(row["created_at"]), "updated_at": _at(row["updated_at"]),
    }  # fmt: skip


def catalog_item(row: Row) -> Row:
    """A product as an item with its one variation, which is what is sold."""
    at = {"updated_at": _at(row["updated_at"]), "version": 1, "is_deleted": False}
    variation = {
        "type": "ITEM_VARIATION", "id": row["product_id"], **at,
        "item_variation_data": {"item_id": f"ITEM-{row['product_id']}", "name": "Regular",
                                "sku": row["sku"], "pricing_type": "FIXED_PRICING",
                                "price_money": _money(row["price"])},
    }  # fmt: skip
    data = {"name": row["name"], "variations": [variation], "product_type": "REGULAR",
            "categories": [{"id": f"CAT-{row['category']}", "ordinal": 0}]}  # fmt: skip
    return {"type": "ITEM", "id": f"ITEM-{row['product_id']}", **at, "item_data": data}


def category(name: str, at: datetime) -> Row:
    """A category of the catalogue."""
    return {"type": "CATEGORY", "id": f"CAT-{name}", "updated_at": _at(at), "version": 1,
            "is_deleted": False, "category_data": {"name": name}}  # fmt: skip


def loyalty_account(row: Row) -> Row:
    """Every holder of the card is in the one programme."""
    return {
        "id": f"LOYALTY-{row['id']}", "program_id": "CARD", "balance": 0, "lifetime_points": 0,
        "customer_id": _customer_id(row["id"]), "enrolled_at": _at(row["created_at"]),
        "created_at": _at(row["created_at"]), "updated_at": _at(row["updated_at"]),
    }  # fmt: skip


def _line(row: Row) -> Row:
    gross = row["quantity"] * row["unit_price"]
    return {
        "uid": row["id"], "name": row["name"] or "", "quantity": str(row["quantity"]),
        "catalog_object_id": row["product_id"], "variation_name": "Regular", "item_type": "ITEM",
        "base_price_money": _money(row["unit_price"]), "gross_sales_money": _money(gross),
        "total_discount_money": _money(row["discount"]), "total_tax_money": _money(0),
        "total_money": _money(row["amount"]),
    }  # fmt: skip


def _totals(total: int, discount: int) -> Row:
    return {
        "total_money": _money(total), "total_tax_money": _money(0),
        "total_discount_money": _money(discount), "net_amount_due_money": _money(0),
    }  # fmt: skip


def _money(amount: int) -> Row:
    return {"amount": amount, "currency": "VND"}


def _customer_id(member_number: str) -> str:
    return f"CUST-{member_number}"


def _at(moment: datetime) -> str:
    return f"{moment.isoformat()}Z"
