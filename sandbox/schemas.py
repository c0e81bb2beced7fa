"""Columns of every file and table the sandbox writes, in order (docs/architecture.md)."""

from __future__ import annotations

import pyarrow as pa

_TYPES = {
    "text": pa.string(), "time": pa.timestamp("s"), "date": pa.date32(), "int": pa.int64(),
    "bool": pa.bool_(), "float": pa.float64(), "texts": pa.list_(pa.string()),
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
EXPERIMENTS = _schema("campaign_id email grp holdout_share:float assigned_at:time")
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
CRM_TABLES = {
    "conversations": _schema(
        "conversation_id channel visitor_id user_id zalo_id phone email full_name initiated_by "
        "status topic content_class sentiment agent order_id opened_at:time "
        "first_answered_at:time closed_at:time updated_at:time"
    ),
    "calls": _schema(
        "call_id phone member_number direction purpose answered:bool seconds:int outcome agent "
        "content_class order_id started_at:time"
    ),
    "leads": _schema(
        "lead_id full_name phone email source stage score:int outcome owner amount:int "
        "expected_close_on:date created_at:time contacted_at:time updated_at:time"
    ),
    "appointments": _schema(
        "appointment_id member_number phone full_name store_id purpose status agent "
        "booked_at:time starts_at:time updated_at:time"
    ),
    "offers": _schema(
        "offer_id offer_code offer_name campaign_id valid_from:time valid_to:time updated_at:time"
    ),
    "coupon_redemptions": _schema(
        "redemption_id offer_code user_id member_number email order_id store_id discount:int "
        "redeemed_at:time"
    ),
    "loyalty_enrolments": _schema(
        "enrolment_id member_number programme tier enrolled_at:time left_at:time updated_at:time"
    ),
    "referrals": _schema(
        "referral_id user_id email phone full_name referrer_user_id referrer_member_number "
        "referrer_phone referral_code referred_at:time"
    ),
}
# What really happened, for those who check figures (truth/journal).
JOURNAL_TABLES = {
    "visits": _schema(
        "person_id started_at:time anonymous_id user_id source medium campaign product_views:int "
        "is_sign_up:bool cart_id order_id total:int"
    ),
    "causes": _schema("cause person_id channel planned_at:time"),
}
TRUTH_RECORDS = _schema("source record_kind record_id person_id")
