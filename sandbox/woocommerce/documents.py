"""Rows of the shop as WooCommerce's JSON. Money is text without decimals: the currency is VND."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sandbox.woocommerce.shop import STATUS

Row = dict[str, Any]
_SITE_TIME = timedelta(hours=7)


def order(row: Row, lines: list[Row], refunds: list[Row]) -> Row:
    """An order with its lines and the refunds it names."""
    total = sum(line["amount"] for line in lines)
    before = sum(line["quantity"] * line["unit_price"] for line in lines)
    coupons = []
    if row["coupon_code"]:
        coupon = {"id": row["id"], "code": row["coupon_code"].lower()}
        money = {"discount": str(before - total), "discount_tax": "0"}
        coupons = [coupon | money | {"meta_data": []}]
    completed = row["modified"] if row["status"] in ("completed", "returned") else None
    address = _address(row, row["delivery_province"], row["delivery_country"])
    return {
        "id": row["id"], "parent_id": 0, "number": row["number"],
        "order_key": f"wc_order_{row['id']:08d}", "created_via": "checkout", "version": "9.0.0",
        "status": STATUS[row["status"]], "currency": "VND",
        **_times("created", row["created"]), **_times("modified", row["modified"]),
        "discount_total": str(before - total), "discount_tax": "0", "shipping_total": "0",
        "shipping_tax": "0", "cart_tax": "0", "total": str(total), "total_tax": "0",
        "prices_include_tax": True, "customer_id": row["customer_id"], "customer_ip_address": "",
        "customer_user_agent": "", "customer_note": "",
        "billing": address | {"email": row["email"] or "", "phone": row["phone"] or ""},
        "shipping": address, "payment_method": row["method"] or "cod",
        "payment_method_title": row["method"] or "cod", "transaction_id": "",
        **_times("paid", row["paid"]), **_times("completed", completed), "cart_hash": "",
        "meta_data": [{"id": row["id"], "key": "_cart_id", "value": row["cart_id"]}],
        "line_items": [_line(line) for line in lines], "tax_lines": [], "shipping_lines": [],
        "fee_lines": [], "coupon_lines": coupons,
        "refunds": [{"id": one["id"], "reason": "", "total": str(-one["amount"])}
                    for one in refunds],
    }  # fmt: skip


def refund(row: Row) -> Row:
    """A refund of an order, with the time that the order itself does not tell."""
    return {
        "id": row["id"], **_times("created", row["created"]), "amount": str(row["amount"]),
        "reason": "", "refunded_by": 1, "refunded_payment": False, "meta_data": [],
        "line_items": [],
    }  # fmt: skip


def customer(row: Row) -> Row:
    """An account."""
    first, last = _names(row["full_name"])
    address = _address(row, row["province"], "VN")
    return {
        "id": row["id"], **_times("created", row["created"]), **_times("modified", row["modified"]),
        "email": row["email"] or "", "first_name": first, "last_name": last, "role": "customer",
        "username": row["user_id"],
        "billing": address | {"email": row["email"] or "", "phone": row["phone"] or ""},
        "shipping": address, "is_paying_customer": row["is_paying"], "avatar_url": "",
        "meta_data": [],
    }  # fmt: skip


def product(row: Row) -> Row:
    """A product, with what the shop keeps of it."""
    return {
        "id": row["id"], "name": row["name"], "slug": row["product_id"].lower(), "permalink": "",
        **_times("created", row["created"]), **_times("modified", row["modified"]),
        "type": "simple", "status": "publish", "featured": False,
        "catalog_visibility": "visible", "description": "", "short_description": "",
        "sku": row["sku"], "price": row["price"], "regular_price": row["price"], "sale_price": "",
        "on_sale": False, "purchasable": True, "tax_status": "taxable", "tax_class": "",
        "stock_status": "instock", "parent_id": 0,
        "categories": [{"id": 1, "name": row["category"], "slug": ""}], "tags": [], "images": [],
        "attributes": [{"id": 0, "name": "Brand", "position": 0, "visible": True,
                        "variation": False, "options": [row["brand"]]}],
        "default_attributes": [], "variations": [], "grouped_products": [], "menu_order": 0,
        "meta_data": [],
    }  # fmt: skip


def _line(row: Row) -> Row:
    return {
        "id": row["id"], "name": row["name"] or "", "product_id": row["product_id"],
        "variation_id": 0, "quantity": row["quantity"], "tax_class": "",
        "subtotal": str(row["quantity"] * row["unit_price"]), "subtotal_tax": "0",
        "total": str(row["amount"]), "total_tax": "0", "taxes": [], "meta_data": [],
        "sku": row["sku"] or "", "price": row["amount"] / max(row["quantity"], 1),
    }  # fmt: skip


def _address(row: Row, province: str | None, country: str) -> Row:
    first, last = _names(row["full_name"])
    return {
        "first_name": first, "last_name": last, "company": "",
        "address_1": row.get("address") or "", "address_2": row.get("ward") or "", "city": "",
        "state": province or "", "postcode": "", "country": country,
    }  # fmt: skip


def _names(full_name: str | None) -> tuple[str, str]:
    """(first, last) as a checkout form in Viet Nam is filled in: the family name comes first."""
    last, _, first = (full_name or "").partition(" ")
    return (first, last) if first else (last, "")


def _times(name: str, at: datetime | None) -> Row:
    """The site's time and GMT, neither with a zone."""
    site = (at + _SITE_TIME).isoformat() if at else None
    return {f"date_{name}": site, f"date_{name}_gmt": at.isoformat() if at else None}
