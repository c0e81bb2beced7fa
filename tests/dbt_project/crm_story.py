"""What the small retailer's service desk exports: people of the story, known by e-mail or card."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from khach.environment import Environment
from khach.state import open_state

if TYPE_CHECKING:
    from shop_story import Story

DESK = {"name": "desk", "kind": "files", "namespace": "desk", "area": "crm", "currency": "VND"}
CALLED = "0912 000 777"
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
         "initiated_by": "business", "opened_at": at("04 03:00"), "content_class": "tán gẫu"},
    ],
    # K2's messages, and those of a conversation that nobody described.
    "messages": [
        {"message_id": "N1", "conversation_id": "K2", "direction": "inbound", "channel": "social",
         "sent_at": at("03 03:00")},
        {"message_id": "N2", "conversation_id": "K2", "direction": "outbound", "channel": "social",
         "sent_at": at("03 03:30")},
        {"message_id": "N3", "conversation_id": "K4", **P9, "direction": "inbound",
         "channel": "zalo", "sent_at": at("05 03:00"), "content_class": "Complaint"},
        # Texts without a conversation: an answer to a survey, a refusal, and one of much later.
        *({"message_id": f"T{number}", **who, "channel": "SMS", "direction": "inbound",
           "body": body, "sent_at": at(moment)}
          for number, (who, body, moment) in enumerate(
              [(P3, " 4 ", "11 00:00"), (P6, "tc", "11 00:00"), (P9, "5", "20 00:00"),
               (P9, "Ok", "12 00:00"), ({"phone": "12345"}, "STOP", "13 00:00")])),
    ],
    # The same person rings from a second exchange, which is a part of the entity.
    "messages__zalo": [
        {"message_id": "N4", "conversation_id": "K4", "direction": "outbound", "channel": "zalo",
         "sent_at": at("05 04:00")},
        {"message_id": "N3", "conversation_id": "K4", **P9, "direction": "inbound",
         "channel": "zalo", "sent_at": at("05 03:00"), "content_class": "Complaint"},
    ],
    "calls": [
        {"call_id": "C1", **P3, "direction": "outbound", "is_answered": True,
         "duration_seconds": 95, "campaign_id": "ring-1", "outcome": "Do_Not_Call",
         "started_at": at("06 03:00")},
        {"call_id": "C2", **P6, "phone": CALLED, "direction": "outbound", "is_answered": False,
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
        # Codes that an audience gave (CODES): typed carelessly, late by another, by nobody known.
        {"redemption_id": "R4", "offer_id": " gio-aa22", **P3, "order_id": "O5",
         "redeemed_at": at("07 00:00")},
        {"redemption_id": "R5", "offer_id": "GIO-BB22", **P9, "redeemed_at": at("20 00:00")},
        {"redemption_id": "R6", "offer_id": "GIO-CC22", "redeemed_at": at("09 00:00")},
        {"redemption_id": "R7", "offer_id": "GIO-SS22", **P9, "redeemed_at": at("07 00:00")},
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


LATER = datetime.fromisoformat("2026-04-09 00:00:00")
# Code -> whom the audience cart_codes gave it to, until when, and the syncs that carried it, when.
CODES: dict[str, tuple[str, datetime, dict[str, datetime]]] = {
    "GIO-AA22": ("person 3", at("09 00:00"), {"code_sms": at("06 00:00")}),
    "GIO-BB22": ("person 6", at("09 00:00"), {"code_sms": at("06 00:00"),
                                         "code_mail": at("08 00:00")}),
    "GIO-CC22": ("person 9", at("09 00:00"), {"code_sms": at("06 00:00")}),
    "GIO-DD22": ("person 9", LATER, {"code_sms": at("30 00:00")}),
    "GIO-EE22": ("person 3", LATER, {}),
    "GIO-SS22": ("seed:boss", at("09 00:00"), {"code_sms": at("06 00:00")}),
}  # fmt: skip


def give_codes(env: Environment) -> None:
    """What activation wrote down of CODES; one that no sync carried waits for its hours."""
    with open_state(env) as state:
        for number, (code, (holder, until, carried)) in enumerate(CODES.items()):
            first = min(carried.values(), default=at("30 00:00"))
            state.execute(
                "insert into offer_codes values (?, 'cart_codes', ?, ?, ?)",
                [code, holder, first, until],
            )
            for sync, moment in (carried or {"code_sms": first}).items():
                plan = f"{code}-{sync}"
                action = "message" if sync == "code_sms" else "add"
                state.execute(
                    "insert into sync_plans by name select ? as plan_id, ? as sync_id, 'cart_codes'"
                    " as audience, 'twilio' as channel, 's' as snapshot_id, ?::timestamp as as_of,"
                    " as_of as created_at, 'applied' as status, 1 as add_count, 0 as update_count,"
                    " 0 as remove_count, 0 as unchanged_count, 0 as excluded_count,"
                    " 'f' as fingerprint, '{}' as figures",
                    [plan, sync, moment],
                )
                state.execute(
                    "insert into sync_plan_rows by name select ? as plan_id, ? as row_number,"
                    " ? as customer_id, ? as action, ? as offer_code",
                    [plan, number, holder, action, code],
                )
                state.execute(
                    "insert into sync_receipts by name select ? as receipt_id, ? as plan_id,"
                    " ? as sync_id, ? as customer_id, ? as action, ? as status,"
                    " ?::timestamp as attempted_at",
                    [f"{plan}-{number}", plan, sync, holder, action,
                     "acknowledged" if carried else "deferred", moment],
                )  # fmt: skip


def tell_crm(story: Story) -> None:
    """Add the desk's tables to a story."""
    for table, rows in TABLES.items():
        story.rows["desk", table].extend(rows)
