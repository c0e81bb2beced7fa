"""Twilio Messages, API 2010-04-01.

The resource: https://www.twilio.com/docs/messaging/api/message-resource. Error codes: each at
https://www.twilio.com/docs/api/errors/<code>; words are those of the pages.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

from sandbox.channels.phones import is_mobile, is_number
from sandbox.channels.vendor import Answer, Exchange, RefusalError, Vendor

# "The message text. Can be up to 1,600 characters long."
_LONGEST_BODY = 1600
# Messages of a life-like retailer: STOP was answered; the handset cannot be reached.
FATES = {"stopped": 10, "unreachable": 25}
# How often a message must be asked for until it is there. "sent": the carrier has accepted it;
# "delivered": it confirmed (https://support.twilio.com/hc/en-us/articles/223134347).
_STATES = ("queued", "sent")
_ON_ITS_WAY = ("sent", "delivered", "undelivered", "received")
# "Default keywords": https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out
STOP_WORDS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"})
_LARGEST_PAGE = 1000
_UNREACHABLE = 30003  # "Unreachable destination handset"
_MESSAGES = "/2010-04-01/Accounts/{account}/Messages.json"
_MESSAGE = "/2010-04-01/Accounts/{account}/Messages/{sid}.json"


def create_message(exchange: Exchange) -> Answer:
    """`POST .../Messages.json`: one message. There is no idempotency key: a repeat sends twice."""
    _check_account(exchange)
    form = exchange.form()
    sender = form.get("From") or form.get("MessagingServiceSid") or ""
    to, body = form.get("To", ""), form.get("Body", "")
    _check_message(exchange, to, sender, body)
    content = {"from": sender, "body": body}
    effect_id = exchange.log("message", recipient=to, reference="", content=content)
    effect = {"effect_id": effect_id, "recipient": to, "content": content}
    status = "accepted" if sender.startswith("MG") else "queued"
    return Answer(201, _document(exchange, effect, status))


def fetch_message(exchange: Exchange) -> Answer:
    """`GET .../Messages/{Sid}.json`: the message's state moves on each time it is asked for."""
    _check_account(exchange)
    effect = exchange.asked(exchange.path["sid"].removeprefix("SM"))
    if effect is None:
        words = f"The requested resource {exchange.path['sid']} was not found"
        raise _refusal(404, 20404, words)
    fate = exchange.fate(effect["recipient"], FATES)
    states = ("queued",) * 20 if fate == "slow" else _STATES
    final = "undelivered" if fate == "unreachable" else "delivered"
    status = states[effect["asked"] - 1] if effect["asked"] <= len(states) else final
    return Answer(200, _document(exchange, effect, status))


def list_messages(exchange: Exchange) -> Answer:
    """`GET .../Messages.json`: messages of both directions, the newest first, page by page."""
    _check_account(exchange)
    query = exchange.query
    size, page = int(query.get("PageSize", "50")), int(query.get("Page", "0"))
    if not 1 <= size <= _LARGEST_PAGE:
        raise _refusal(400, 20001, "Page size must be between 1 and 1000")
    found = [
        one
        for one in (*_inbound(exchange), *_outbound(exchange))
        if query.get("To") in (None, one["to"])
        and query.get("From") in (None, one["from"])
        and parsedate_to_datetime(one["date_created"]).date().isoformat()
        >= query.get("DateSent>", "")[:10]  # days of GMT alone count
    ]
    found.sort(key=lambda one: (parsedate_to_datetime(one["date_created"]), one["sid"]))
    found.reverse()
    path = _MESSAGES.format(account=exchange.keys["twilio_sid"])
    kept = {name: value for name, value in query.items() if name not in ("Page", "PageToken")}

    def uri(number: int) -> str:
        return f"{path}?{urlencode({**kept, 'Page': number, 'PageToken': f'PA{number}'})}"

    start = page * size
    return Answer(200, {
        "messages": found[start : start + size], "page": page, "page_size": size,
        "start": start, "end": max(start, min(len(found), start + size) - 1),
        "uri": uri(page), "first_page_uri": uri(0),
        "next_page_uri": uri(page + 1) if start + size < len(found) else None,
        "previous_page_uri": uri(page - 1) if page else None,
    })  # fmt: skip


def _inbound(exchange: Exchange) -> Iterator[dict[str, Any]]:
    """What people wrote to the business's number; "received" is the state of all of them."""
    rows = exchange.connection.execute(
        "select * from inbound where vendor = ?", (exchange.vendor,)
    ).fetchall()
    for row in rows:
        content = {"from": row["sender"], "body": row["body"]}
        effect = {"effect_id": row["sid"].removeprefix("SM"), "content": content,
                  "recipient": exchange.keys["twilio_sender"]}  # fmt: skip
        moment = datetime.fromisoformat(row["happened_at"])
        yield _document(exchange, effect, "received", moment) | {"direction": "inbound"}


def _outbound(exchange: Exchange) -> Iterator[dict[str, Any]]:
    rows = exchange.connection.execute(
        "select * from effects where vendor = ? and kind = 'message'", (exchange.vendor,)
    ).fetchall()
    for row in map(dict, rows):
        moment = datetime.fromisoformat(row["happened_at"]) if row["happened_at"] else None
        effect = row | {"content": json.loads(row["content"])}
        yield _document(exchange, effect, "sent", moment)


def _check_account(exchange: Exchange) -> None:
    """HTTP Basic with Account SID and token: https://www.twilio.com/docs/usage/requests-to-twilio"""
    sid, token = exchange.keys["twilio_sid"], exchange.keys["twilio_token"]
    try:
        given = base64.b64decode(exchange.headers.get("authorization", "").partition(" ")[2])
    except binascii.Error:
        given = b""
    if not hmac.compare_digest(given, f"{sid}:{token}".encode()):
        raise _refusal(401, 20003, "Authenticate")
    if exchange.path["account"] != sid:
        raise _refusal(404, 20404, "The requested resource was not found")


def _check_message(exchange: Exchange, to: str, sender: str, body: str) -> None:
    if not to:
        raise _refusal(400, 21604, "A 'To' phone number is required.")
    if not to.startswith("+") or not is_number(to[1:]):
        raise _refusal(400, 21211, f"Invalid 'To' Phone Number: {to}")
    if not is_mobile(to[1:]):
        raise _refusal(400, 21614, f"To number: {to}, is not a mobile number")
    if not sender:
        raise _refusal(400, 21603, "A 'From' phone number is required.")
    if sender not in (exchange.keys["twilio_sender"], exchange.keys["twilio_service"]):
        words = "is not a valid, message-capable Twilio phone number"
        raise _refusal(400, 21606, f"The 'From' phone number provided ({sender}) {words}.")
    if not body:
        raise _refusal(400, 21602, "Message body is required.")
    if len(body) > _LONGEST_BODY:
        raise _refusal(400, 21617, "The concatenated message body exceeds the 1600 character limit")
    if exchange.fate(to, FATES) == "stopped":
        raise _refusal(400, 21610, f"Attempt to send to unsubscribed recipient {to}")


def _document(
    exchange: Exchange, effect: Mapping[str, Any], status: str, moment: datetime | None = None
) -> dict[str, Any]:
    """The Message resource of an effect."""
    sid, account = f"SM{effect['effect_id']}", exchange.keys["twilio_sid"]
    sender, body = effect["content"]["from"], effect["content"]["body"]
    is_service = sender.startswith("MG")
    uri = f"/2010-04-01/Accounts/{account}/Messages/{sid}"
    now = format_datetime(moment or exchange.now)
    is_failed = status == "undelivered"
    return {
        "account_sid": account, "api_version": "2010-04-01", "body": body, "date_created": now,
        "date_sent": now if status in _ON_ITS_WAY else None,
        "date_updated": now, "direction": "outbound-api",
        "error_code": _UNREACHABLE if is_failed else None,
        "error_message": "Unreachable destination handset" if is_failed else None,
        "from": None if is_service else sender,
        "messaging_service_sid": sender if is_service else None,
        # "0" when a service has not chosen a sender yet.
        "num_media": "0", "num_segments": "0" if is_service else str(_segments(body)),
        "price": None, "price_unit": None, "sid": sid, "status": status,
        "subresource_uris": {"media": f"{uri}/Media.json"}, "to": effect["recipient"],
        "uri": f"{uri}.json",
    }  # fmt: skip


def _segments(body: str) -> int:
    """160 characters of GSM-7 or 70 of UCS-2: https://www.twilio.com/docs/glossary/what-sms-character-limit"""
    longest = 160 if body.isascii() else 70
    return -(-len(body) // longest)


def _refusal(status: int, code: int, words: str) -> RefusalError:
    """The form of every error: https://www.twilio.com/docs/usage/twilios-response"""
    return RefusalError(Answer(status, _error(status, code, words)))


def _error(status: int, code: int, words: str) -> dict[str, Any]:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return {"code": code, "message": words, "more_info": more, "status": status}


def _too_many() -> Answer:
    """ "Requests that receive 429 responses aren't processed": page of 20429. No Retry-After."""
    return Answer(429, _error(429, 20429, "Too Many Requests"))


def _new_keys() -> dict[str, str]:
    return {
        "twilio_sid": f"AC{secrets.token_hex(16)}",
        "twilio_token": secrets.token_hex(16),
        "twilio_service": f"MG{secrets.token_hex(16)}",
        "twilio_sender": "+12025550142",
    }


def _variables(url: str, keys: Mapping[str, str]) -> dict[str, str]:
    return {
        "TWILIO_API_URL": url,
        "TWILIO_ACCOUNT_SID": keys["twilio_sid"],
        "TWILIO_AUTH_TOKEN": keys["twilio_token"],
        "TWILIO_SENDER": keys["twilio_service"],
        "TWILIO_NUMBER": keys["twilio_sender"],
    }


VENDOR = Vendor(
    name="twilio",
    channels=("twilio",),
    operations={
        ("POST", _MESSAGES): create_message,
        ("GET", _MESSAGES): list_messages,
        ("GET", _MESSAGE): fetch_message,
    },
    new_keys=_new_keys,
    variables=_variables,
    too_many=_too_many,
    at_once=100,  # the account's concurrency; the vendor names no figure, so this is ours
)
