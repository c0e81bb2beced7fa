"""Columns of every file and table the sandbox writes, in order (docs/architecture.md)."""

from __future__ import annotations

import pyarrow as pa

_TYPES = {
    "text": pa.string(), "time": pa.timestamp("s"), "date": pa.date32(), "int": pa.int64(),
    "bool": pa.bool_(), "texts": pa.list_(pa.string()),
}  # fmt: skip


def _schema(columns: str) -> pa.Schema:
    """From `name:type` words; no type means text."""
    pairs = [word.partition(":") for word in columns.split()]
    return pa.schema([(name, _TYPES[kind or "text"]) for name, _, kind in pairs])


SHOP_TABLES = {
    "members": _schema(
        "user_id email phone full_name birth_date:date gender marital_status occupation "
        "income_band province ward address shoe_size:int created_at:time updated_at:time"
    ),
    "products": _schema("product_id sku name category brand price:int updated_at:time"),
    "orders": _schema(
        "order_id user_id guest_email guest_phone guest_name cart_id status delivery_province "
        "delivery_country coupon_code ordered_at:time updated_at:time"
    ),
    "order_lines": _schema(
        "order_line_id order_id product_id quantity:int unit_price:int discount:int amount:int"
    ),
    "payments": _schema("payment_id order_id method amount:int paid_at:time"),
    "refunds": _schema("refund_id order_id amount:int refunded_at:time"),
    "consents": _schema(
        "consent_id user_id channel purpose granted:bool occurred_at:time text_version"
    ),
    "campaigns": _schema("campaign_id channel name audience started_at:time cost:int"),
}
EXPERIMENTS = _schema("campaign_id email grp assigned_at:time")
SURVEY_RESPONSES = _schema(
    "response_id user_id email survey kind score:int scale_max:int answers answered_at:time"
)
TILL_TABLES = {
    "stores": _schema("store_id store_name province updated_at:time"),
    "members": _schema(
        "member_number full_name phone email birth_date:date gender province ward tier store_id "
        "enrolled_at:time updated_at:time"
    ),
    "receipts": _schema(
        "receipt_id store_id till_id member_number phone status sold_at:time updated_at:time"
    ),
    "receipt_lines": _schema(
        "receipt_line_id receipt_id product_id quantity:int unit_price:int discount:int "
        "amount:int updated_at:time"
    ),
    "payments": _schema("payment_id receipt_id method amount:int paid_at:time"),
    "returns": _schema("return_id receipt_id amount:int returned_at:time"),
    "consents": _schema(
        "consent_id member_number channel purpose granted:bool occurred_at:time text_version"
    ),
}
MAIL_TABLES = {
    "lists": _schema("list_id name"),
    "members": _schema(
        "list_id email_address full_name status timestamp_opt:time last_changed:time tags:texts"
    ),
    "campaigns": _schema(
        "campaign_id list_id title subject_line status send_time:time emails_sent:int"
    ),
    "sends": _schema("campaign_id email_address status"),
    "activity": _schema("campaign_id email_address action activity_type url occurred_at:time"),
    "unsubscribes": _schema("campaign_id email_address reason occurred_at:time"),
}
TRUTH_RECORDS = _schema("source record_kind record_id person_id")
