"""What the small retailer's service desk exports: people of the story, known by e-mail or card."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shop_story import Story

DESK = {"name": "desk", "kind": "files", "namespace": "desk", "area": "crm", "currency": "VND"}
P3, P6, P9 = ({"email": f"p{person}@hoa.example"} for person in (3, 6, 9))


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-{text}")


TABLES: dict[str, list[dict[str, Any]]] = {
    "conversations": [
        {"conversation_id": "K1", **P3, "channel": "livechat", "topic": "size",
         "content_class": "question", "sentiment": "positive", "opened_at": at("02 03:00"),
         "first_answered_at": at("02 03:05"), "closed_at": at("02 03:20")},
        {"conversation_id": "K2", **P6, "channel": "Messenger", "opened_at": at("03 03:00")},
        {"conversation_id": "K3", "anonymous_id": "v9", "channel": "zalo", "status": "Closed",
         "initiated_by": "business", "opened_at": at("04 03:00")},
    ],
    # K2's messages, and those of a conversation that nobody described.
    "messages": [
        {"message_id": "N1", "conversation_id": "K2", "direction": "inbound", "channel": "social",
         "sent_at": at("03 03:00")},
        {"message_id": "N2", "conversation_id": "K2", "direction": "outbound", "channel": "social",
         "sent_at": at("03 03:30")},
        {"message_id": "N3", "conversation_id": "K4", **P9, "direction": "inbound",
         "channel": "zalo", "sent_at": at("05 03:00"), "content_class": "complaint"},
    ],
    # The same person rings from a second exchange, which is a part of the entity.
    "messages__zalo": [
        {"message_id": "N4", "conversation_id": "K4", "direction": "outbound", "channel": "zalo",
         "sent_at": at("05 04:00")},
        {"message_id": "N3", "conversation_id": "K4", **P9, "direction": "inbound",
         "channel": "zalo", "sent_at": at("05 03:00"), "content_class": "complaint"},
    ],
    "calls": [
        {"call_id": "C1", **P3, "direction": "outbound", "is_answered": True,
         "duration_seconds": 95, "campaign_id": "ring-1", "started_at": at("06 03:00")},
        {"call_id": "C2", **P6, "direction": "outbound", "is_answered": False,
         "started_at": at("06 04:00"), "order_id": "O1"},
    ],
    "leads": [
        {"lead_id": "L1", **P3, "stage": "proposal", "lead_score": Decimal(70),
         "created_at": at("01 00:00"), "contacted_at": at("06 03:00"), "outcome": "Won",
         "amount": Decimal(500000)},
        {"lead_id": "L2", **P6, "stage": "new", "outcome": "maybe", "created_at": at("02 00:00")},
    ],
    "appointments": [
        {"appointment_id": "A1", **P9, "channel": "store", "starts_at": at("09 03:00")},
    ],
    "offers": [
        {"offer_id": "7", "offer_code": "TET", "valid_from": at("01 00:00")},
        {"offer_id": "8", "offer_code": "HE", "valid_from": at("01 00:00")},
    ],
    "coupon_redemptions": [
        {"redemption_id": "R1", "offer_id": "TET", **P3, "redeemed_at": at("07 00:00")},
        {"redemption_id": "R2", "offer_id": "7", "order_id": "O0", "redeemed_at": at("07 00:00")},
        {"redemption_id": "R3", "offer_id": "LOST", "redeemed_at": at("07 00:00")},
    ],
    "loyalty_enrolments": [
        {"enrolment_id": "Y1", **P3, "programme": "club", "tier": "gold",
         "enrolled_at": at("08 00:00"), "updated_at": at("08 00:00")},
        {"enrolment_id": "Y2", **P6, "tier": "silver", "enrolled_at": at("08 00:00"),
         "left_at": at("09 00:00")},
    ],
    "referrals": [
        {"referral_id": "F1", **P6, "referrer_email": "P3@hoa.example",
         "referred_at": at("01 00:00")},
        {"referral_id": "F2", **P6, "referrer_email": "p9@hoa.example",
         "referred_at": at("02 00:00")},
    ],
    "email_events": [
        {"email_event_id": f"E{number}", "campaign_id": "spring", "kind": kind, **P3,
         "occurred_at": at(f"1{number} 00:00")}
        for number, kind in enumerate(("sent", "delivered", "open", "unsubscribe"))
    ],
    "sessions": [
        {"session_id": "V1", "anonymous_id": "a7", "started_at": at("02 00:00"),
         "page_view_count": 4, "has_order": True, "visitor_type": "new"},
    ],
    "survey_responses": [
        {"response_id": "S1", **P3, "kind": "csat", "score": Decimal(4), "scale_min": Decimal(1),
         "scale_max": Decimal(5), "satisfied_score": Decimal(4), "answered_at": at("03 00:00")},
    ],
}  # fmt: skip
DESK["landed"] = sorted(TABLES)  # type: ignore[assignment]


def tell_crm(story: Story) -> None:
    """Add the desk's tables to a story."""
    for table, rows in TABLES.items():
        story.rows["desk", table].extend(rows)
