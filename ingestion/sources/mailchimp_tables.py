"""Mailchimp's raw tables, and how the pages of its API become their rows."""

from __future__ import annotations

from ingestion.pages import Shape
from ingestion.spec import TableSpec

_PLACE = {"_file": "v", "_row": "i"}
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
_TO_TYPE = "campaign_id VARCHAR, email_id VARCHAR, email_address VARCHAR"
SHAPES = {
    "lists": Shape("lists", "STRUCT(id VARCHAR, name VARCHAR)",
                   {"list_id": "item.id", "name": "item.name"}),
    "members": Shape(
        "members",
        "STRUCT(list_id VARCHAR, id VARCHAR, email_address VARCHAR, full_name VARCHAR, status "
        "VARCHAR, timestamp_opt VARCHAR, last_changed VARCHAR, merge_fields JSON, tags JSON)",
        {"list_id": "item.list_id", "member_id": "item.id"}
        | {name: f"item.{name}" for name in list(TABLES["members"].columns)[2:9]}
        | {"timestamp_opt": "nullif(item.timestamp_opt, '')"},
    ),
    "campaigns": Shape(
        "campaigns",
        "STRUCT(id VARCHAR, recipients STRUCT(list_id VARCHAR), settings STRUCT(title VARCHAR, "
        "subject_line VARCHAR), status VARCHAR, send_time VARCHAR, emails_sent VARCHAR)",
        {"campaign_id": "item.id", "list_id": "item.recipients.list_id",
         "title": "item.settings.title", "subject_line": "item.settings.subject_line",
         "status": "item.status", "send_time": "nullif(item.send_time, '')",
         "emails_sent": "item.emails_sent"},
    ),
    "sent_to": Shape(
        "sent_to",
        f"STRUCT({_TO_TYPE}, status VARCHAR, open_count VARCHAR, last_open VARCHAR)",
        _TO | {"status": "item.status", "open_count": "item.open_count",
               "last_open": "nullif(item.last_open, '')"},
    ),
    "email_activity": Shape(
        "emails",
        f"STRUCT({_TO_TYPE}, activity STRUCT(action VARCHAR, \"type\" VARCHAR, url VARCHAR, "
        "\"timestamp\" VARCHAR)[])",
        _TO | {"action": "part.action", "activity_type": 'part."type"', "url": "part.url",
               "occurred_at": 'part."timestamp"'},
        parts="activity",
        counted="action",
    ),
    "unsubscribes": Shape(
        "unsubscribes",
        f"STRUCT({_TO_TYPE}, reason VARCHAR, \"timestamp\" VARCHAR)",
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
