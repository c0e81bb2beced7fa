"""Our entities: the columns onto which `files` and `sql` sources map (docs/architecture.md)."""

from __future__ import annotations

from collections.abc import Mapping

from ingestion.spec import TableSpec


def _columns(text: str) -> dict[str, str]:
    """`name:letter` words, in order; a word without a letter is text."""
    pairs = (word.partition(":") for word in text.split())
    return {name: letter or "v" for name, _, letter in pairs}


REFERENCES = "user_id member_number external_id email phone anonymous_id"
# What every landed row carries besides: where it stood, what the declared filter says, and
# whether it is a tombstone: the word that its key is deleted, with `updated_at` and nothing else.
TRAILER: Mapping[str, str] = {"_file": "v", "_row": "i", "_is_kept": "b", "_is_deleted": "b"}

ENTITIES: Mapping[str, Mapping[str, str]] = {
    "customers": _columns(
        f"record_id {REFERENCES} full_name birth_date:d birth_year:i gender marital_status "
        "occupation income_band country province ward address loyalty_tier "
        "loyalty_enrolled_at:t preferred_size created_at:t updated_at:t"
    ),
    "products": _columns(
        "product_id sku product_name category brand price:n currency updated_at:t"
    ),
    "stores": _columns("store_id store_name province updated_at:t"),
    "orders": _columns(
        f"order_id channel store_id {REFERENCES} full_name cart_id coupon_code ordered_at:t status "
        "country province currency updated_at:t"
    ),
    # The last line serves sources that have no orders table.
    "order_lines": _columns(
        "order_line_id order_id product_id product_name units:n unit_price:n discount:n "
        "line_amount:n currency updated_at:t "
        f"channel store_id {REFERENCES} ordered_at:t status country province"
    ),
    "payments": _columns("payment_id order_id method amount:n currency paid_at:t"),
    "refunds": _columns("refund_id order_id amount:n currency refunded_at:t"),
    "consents": _columns(
        f"consent_id {REFERENCES} channel purpose is_granted:b occurred_at:t text_version"
    ),
    "campaigns": _columns(
        "campaign_id channel campaign_name audience started_at:t cost:n currency"
    ),
    "experiments": _columns(
        f"experiment_id campaign_id {REFERENCES} experiment_group assigned_at:t"
    ),
    "survey_responses": _columns(
        f"response_id {REFERENCES} survey kind score:n scale_max:n answers:j answered_at:t"
    ),
}


def entity_table(entity: str) -> TableSpec:
    """The raw table of an entity; KeyError when there is no such entity."""
    return TableSpec(entity, {**ENTITIES[entity], **TRAILER})


def event_columns() -> dict[str, str]:
    """For each raw table, the column that says when the thing happened (the clock of `latest`)."""
    named = {
        "orders": "ordered_at",
        "order_lines": "ordered_at",
        "payments": "paid_at",
        "refunds": "refunded_at",
        "consents": "occurred_at",
        "experiments": "assigned_at",
        "survey_responses": "answered_at",
    }
    vendors = {"events": "occurred_at", "email_activity": "occurred_at", "sent_to": "last_open"}
    shopify = {"shop_orders": "processed_at", "order_transactions": "processed_at"}
    woocommerce = {"order_refunds": "date_created_gmt"}
    return {**named, **vendors, **shopify, **woocommerce, "unsubscribes": "occurred_at"}


# Vendors' tables that have the name of an entity, but a column of their own.
VENDORS_EVENT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "orders": ("date_created_gmt", "created_at"),
    "payments": ("created_at",),
    "refunds": ("created_at",),
}
