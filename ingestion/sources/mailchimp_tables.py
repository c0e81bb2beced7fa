"""Mailchimp's raw tables, and how the pages of its API become their rows."""

from __future__ import annotations

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


def texts(names: str, **others: Any) -> dict[str, Any]:
    """Fields that are read as text, and those that are read otherwise."""
    return dict.fromkeys(names.split(), "VARCHAR") | others


_TO_TYPE = "campaign_id email_id email_address"
SHAPES = {
    "lists": Shape("lists", texts("id name"), {"list_id": "item.id", "name": "item.name"}),
    "members": Shape(
        "members",
        texts("list_id id email_address full_name status timestamp_opt last_changed",
               merge_fields="JSON", tags="JSON"),
        {"list_id": "item.list_id", "member_id": "item.id"}
        | {name: f"item.{name}" for name in list(TABLES["members"].columns)[2:9]}
        | {"timestamp_opt": "nullif(item.timestamp_opt, '')"},
    ),
    "campaigns": Shape(
        "campaigns",
        texts("id status send_time emails_sent", recipients=texts("list_id"),
               settings=texts("title subject_line")),
        {"campaign_id": "item.id", "list_id": "item.recipients.list_id",
         "title": "item.settings.title", "subject_line": "item.settings.subject_line",
         "status": "item.status", "send_time": "nullif(item.send_time, '')",
         "emails_sent": "item.emails_sent"},
    ),
    "sent_to": Shape(
        "sent_to",
        texts(f"{_TO_TYPE} status open_count last_open"),
        _TO | {"status": "item.status", "open_count": "item.open_count",
               "last_open": "nullif(item.last_open, '')"},
    ),
    "email_activity": Shape(
        "emails",
        texts(_TO_TYPE, activity=[texts("action type url timestamp")]),
        _TO | {"action": "part.action", "activity_type": 'part."type"', "url": "part.url",
               "occurred_at": 'part."timestamp"'},
        parts="activity",
        counted="action",
    ),
    "unsubscribes": Shape(
        "unsubscribes",
        texts(f"{_TO_TYPE} reason timestamp"),
        _TO | {"reason": "item.reason", "occurred_at": 'item."timestamp"'},
    ),
}  # fmt: skip
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
