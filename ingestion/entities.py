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
        f"record_id {REFERENCES} full_name given_name family_name birth_date:d birth_date_text "
        "birth_year:i age_band gender national_id marital_status occupation income_band country "
        "province city ward postal_code address loyalty_tier loyalty_enrolled_at:t preferred_size "
        "created_at:t updated_at:t"
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
        f"experiment_id campaign_id {REFERENCES} experiment_group holdout_share:n assigned_at:t"
    ),
    "survey_responses": _columns(
        f"response_id {REFERENCES} survey kind channel order_id score:n scale_min:n scale_max:n "
        "satisfied_score:n comment answers:j answered_at:t updated_at:t"
    ),
    "conversations": _columns(
        f"conversation_id {REFERENCES} full_name channel initiated_by status topic content_class "
        "sentiment agent order_id campaign_id opened_at:t first_answered_at:t closed_at:t "
        "updated_at:t"
    ),
    "messages": _columns(
        f"message_id conversation_id {REFERENCES} channel direction content_class body agent "
        "campaign_id sent_at:t updated_at:t"
    ),
    "calls": _columns(
        f"call_id {REFERENCES} direction purpose is_answered:b duration_seconds:i outcome agent "
        "content_class conversation_id campaign_id order_id started_at:t updated_at:t"
    ),
    "leads": _columns(
        f"lead_id {REFERENCES} full_name traffic_source stage lead_score:n outcome owner "
        "amount:n currency expected_close_on:d created_at:t contacted_at:t updated_at:t"
    ),
    "appointments": _columns(
        f"appointment_id {REFERENCES} full_name channel store_id purpose status agent "
        "booked_at:t starts_at:t updated_at:t"
    ),
    "offers": _columns(
        "offer_id offer_code offer_name campaign_id valid_from:t valid_to:t updated_at:t"
    ),
    "coupon_redemptions": _columns(
        f"redemption_id offer_id {REFERENCES} order_id campaign_id store_id discount:n currency "
        "redeemed_at:t updated_at:t"
    ),
    "loyalty_enrolments": _columns(
        f"enrolment_id {REFERENCES} full_name programme tier enrolled_at:t left_at:t updated_at:t"
    ),
    # The references are those of the person referred; the referrer's stand beside them.
    "referrals": _columns(
        f"referral_id {REFERENCES} full_name referrer_user_id referrer_member_number "
        "referrer_external_id referrer_email referrer_phone referral_code referred_at:t "
        "updated_at:t"
    ),
    "email_events": _columns(f"email_event_id campaign_id {REFERENCES} kind url occurred_at:t"),
    "sessions": _columns(
        "session_id user_id anonymous_id started_at:t ended_at:t event_count:i page_view_count:i "
        "product_view_count:i traffic_source medium campaign landing_path device_type "
        "visitor_type has_order:b features:j updated_at:t"
    ),
}


# Without these our models can make nothing of an entity, besides its key.
NEEDED: Mapping[str, tuple[str, ...]] = {
    "orders": ("ordered_at",),
    "order_lines": ("order_id",),
    "payments": ("order_id", "amount"),
    "refunds": ("order_id", "amount"),
    "consents": ("channel", "purpose", "is_granted", "occurred_at"),
    "experiments": ("experiment_group",),
    "coupon_redemptions": ("offer_id",),
    "email_events": ("kind", "occurred_at"),
    "sessions": ("started_at",),
}
# Where these are mapped, a row without them is refused, as one without a key: no model can place an
# order in time that has none, and the others go through.
REQUIRED: Mapping[str, tuple[str, ...]] = {"orders": ("ordered_at",)}


def entity_of(table: str) -> str:
    """The entity of a raw table: `orders`, and also `orders__marketplace`, are orders.

    A source that knows an entity from several files of different columns gives each a name behind
    two underscores; all of them feed one staging table.
    """
    return table.partition("__")[0]


def entity_table(table: str) -> TableSpec:
    """A raw table of an entity (`entity_of`); KeyError when there is no such entity."""
    return TableSpec(table, {**ENTITIES[entity_of(table)], **TRAILER})


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
        "conversations": "opened_at",
        "messages": "sent_at",
        "calls": "started_at",
        "leads": "created_at",
        "coupon_redemptions": "redeemed_at",
        "loyalty_enrolments": "enrolled_at",
        "referrals": "referred_at",
        "email_events": "occurred_at",
        "sessions": "started_at",
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
