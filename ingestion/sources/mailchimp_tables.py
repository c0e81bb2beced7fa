"""Mailchimp's raw tables, and how the pages of its API become their rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingestion.shapes import Shape
from ingestion.spec import TableSpec

_PLACE = {"_extra": "j", "_file": "v", "_row": "i"}
_RECIPIENT = {"campaign_id": "v", "member_id": "v", "email_address": "v"}
TABLES = {
    name: TableSpec(name, columns | _PLACE)
    for name, columns in {
        "lists": {"list_id": "v", "name": "v"},
        "members": {
            "list_id": "v", "member_id": "v", "email_address": "v", "full_name": "v",
            "status": "v", "timestamp_opt": "t", "last_changed": "t", "merge_fields": "j",
            "tags": "j",
        },
        "campaigns": {
            "campaign_id": "v", "list_id": "v", "title": "v", "subject_line": "v", "status": "v",
            "send_time": "t", "emails_sent": "i",
        },
        "sent_to": _RECIPIENT | {"status": "v", "open_count": "i", "last_open": "t"},
        "email_activity": _RECIPIENT
        | {"action": "v", "activity_type": "v", "url": "v", "occurred_at": "t"},
        "unsubscribes": _RECIPIENT | {"reason": "v", "occurred_at": "t"},
    }.items()
}  # fmt: skip

_TO = {name: f"item.{field}" for name, field in
       (("campaign_id", "campaign_id"), ("member_id", "email_id"),
        ("email_address", "email_address"))}  # fmt: skip


def _texts(names: str, **others: Any) -> dict[str, Any]:
    """Fields that are read as text, and those that are read otherwise."""
    return dict.fromkeys(names.split(), "VARCHAR") | others


_TO_TYPE = "campaign_id email_id email_address"
SHAPES = {
    "lists": Shape("lists", _texts("id name"), {"list_id": "item.id", "name": "item.name"}),
    "members": Shape(
        "members",
        _texts("list_id id email_address full_name status timestamp_opt last_changed",
               merge_fields="JSON", tags="JSON"),
        {"list_id": "item.list_id", "member_id": "item.id"}
        | {name: f"item.{name}" for name in list(TABLES["members"].columns)[2:9]}
        | {"timestamp_opt": "nullif(item.timestamp_opt, '')"},
    ),
    "campaigns": Shape(
        "campaigns",
        _texts("id status send_time emails_sent", recipients=_texts("list_id"),
               settings=_texts("title subject_line")),
        {"campaign_id": "item.id", "list_id": "item.recipients.list_id",
         "title": "item.settings.title", "subject_line": "item.settings.subject_line",
         "status": "item.status", "send_time": "nullif(item.send_time, '')",
         "emails_sent": "item.emails_sent"},
    ),
    "sent_to": Shape(
        "sent_to",
        _texts(f"{_TO_TYPE} status open_count last_open"),
        _TO | {"status": "item.status", "open_count": "item.open_count",
               "last_open": "nullif(item.last_open, '')"},
    ),
    "email_activity": Shape(
        "emails",
        _texts(_TO_TYPE, activity=[_texts("action type url timestamp")]),
        _TO | {"action": "part.action", "activity_type": 'part."type"', "url": "part.url",
               "occurred_at": 'part."timestamp"'},
        parts="activity",
        counted="action",
    ),
    "unsubscribes": Shape(
        "unsubscribes",
        _texts(f"{_TO_TYPE} reason timestamp"),
        _TO | {"reason": "item.reason", "occurred_at": 'item."timestamp"'},
    ),
}  # fmt: skip
# What the account's shops told it; raw only. Money is text of the account's own currency.
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


ECOMMERCE = {
    table.name: (table, shape)
    for table, shape in (
        _ecommerce("stores", _STORE),
        _ecommerce("orders", _ORDER),
        _ecommerce("carts", _CART),
        _ecommerce("customers", _CUSTOMER),
    )
}
# Table, the end of its path, and the totals of a report that move when its rows do.
REPORTS = (
    ("sent_to", "sent-to", ("emails_sent", "hard_bounces", "soft_bounces", "opens_total",
                            "last_open")),
    ("email_activity", "email-activity", ("hard_bounces", "soft_bounces", "opens_total",
                                          "last_open", "clicks_total", "last_click")),
    ("unsubscribes", "unsubscribed", ("unsubscribed",)),
)  # fmt: skip
REPORT_FIELDS = (
    "id", "list_id", "send_time", "emails_sent", "unsubscribed", "bounces", "opens", "clicks",
)  # fmt: skip
