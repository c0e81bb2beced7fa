"""OneSignal: push notifications to users by their External ID.

Create message: https://documentation.onesignal.com/reference/push-notification; targeting:
https://documentation.onesignal.com/reference/create-message.
"""

from __future__ import annotations

import hmac
import secrets
import uuid
from collections.abc import Mapping
from typing import Any

from sandbox.channels.vendor import Answer, Exchange, RefusalError, Vendor

# "Target up to 20,000 users by their external_id"; older pages say 2,000: the stricter one.
_MOST_USERS = 2_000
# Users of a life-like retailer: push never allowed, or switched off on one of two phones.
_FATES = {"not_subscribed": 350, "half_subscribed": 50}


def create(exchange: Exchange) -> Answer:
    """`POST /notifications`: one message to the users named; answers 200 even if nobody gets it."""
    given = exchange.document()
    _check_key(exchange)
    _check_message(exchange, given)
    key = _idempotency_key(given)
    # "OneSignal detects the duplicate and returns the result of the original request":
    # https://documentation.onesignal.com/reference/idempotent-notification-requests
    if key and (known := exchange.reply(key)):
        return known
    message_id, refused = "", []
    for user in given["include_aliases"]["external_id"]:
        fate = exchange.fate(user, _FATES)
        if fate in ("not_subscribed", "half_subscribed"):
            refused.append(user)
        if fate != "not_subscribed":
            message_id = message_id or str(uuid.uuid4())
            exchange.log("message", recipient=user, reference=message_id, content=_content(given))
    answer = Answer(200, _result(message_id, refused))
    return exchange.remember(key, answer) if key else answer


def _result(message_id: str, refused: list[str]) -> dict[str, Any]:
    """An empty id: nothing was created, nobody is subscribed. With an id, `invalid_aliases` are
    users with a subscription that is switched off; others of theirs may have got the message:
    https://github.com/OneSignal/onesignal-node-api/issues/82
    """
    body: dict[str, Any] = {"id": message_id, "external_id": None}
    if not message_id:
        return body | {"errors": ["All included players are not subscribed"]}
    return body | ({"errors": {"invalid_aliases": {"external_id": refused}}} if refused else {})


def _content(given: dict[str, Any]) -> dict[str, Any]:
    return {name: given.get(name) for name in ("headings", "contents")}


def _check_key(exchange: Exchange) -> None:
    """`Authorization: Key <App API key>`: https://documentation.onesignal.com/docs/en/keys-and-ids"""
    given = exchange.headers.get("authorization", "").encode()
    if not hmac.compare_digest(given, f"Key {exchange.keys['onesignal_key']}".encode()):
        words = "Access denied. Please include an 'Authorization: ...' header with a valid API key."
        raise RefusalError(Answer(403, {"errors": [words]}))


def _check_message(exchange: Exchange, given: dict[str, Any]) -> None:
    if given.get("app_id") != exchange.keys["onesignal_app"]:
        raise _refusal("app_id not found. You may be missing a Content-Type header.")
    # "contents: ... English must be included".
    if not isinstance(given.get("contents"), dict) or not given["contents"].get("en"):
        raise _refusal("Message Notifications must have English language content")
    aliases = given.get("include_aliases")
    users = aliases.get("external_id") if isinstance(aliases, dict) else None
    if not users or not isinstance(users, list):
        raise _refusal("You must include which players, segments, or tags you wish to send to.")
    if len(users) > _MOST_USERS:
        raise _refusal(f"include_aliases may hold up to {_MOST_USERS} ids.")
    # "Required when using include_aliases."
    if given.get("target_channel") != "push":
        raise _refusal("target_channel must be push, email or sms when include_aliases is used.")


def _idempotency_key(given: dict[str, Any]) -> str | None:
    """ "Keys must be unique RFC 9562 UUID format.\""""
    key = given.get("idempotency_key")
    if key is None:
        return None
    try:
        return str(uuid.UUID(key))
    except (ValueError, AttributeError, TypeError):
        raise _refusal("idempotency_key must be a valid UUID.") from None


def _refusal(words: str) -> RefusalError:
    return RefusalError(Answer(400, {"errors": [words]}))


def _too_many() -> Answer:
    """https://documentation.onesignal.com/reference/rate-limits"""
    return Answer(429, {"errors": ["API rate limit exceeded."]}, {"Retry-After": "1"})


def _new_keys() -> dict[str, str]:
    return {
        "onesignal_key": f"os_v2_app_{secrets.token_hex(32)}",
        "onesignal_app": str(uuid.uuid4()),
    }


def _variables(url: str, keys: Mapping[str, str]) -> dict[str, str]:
    return {
        "ONESIGNAL_API_URL": url,
        "ONESIGNAL_API_KEY": keys["onesignal_key"],
        "ONESIGNAL_APP_ID": keys["onesignal_app"],
    }


VENDOR = Vendor(
    name="onesignal",
    channels=("onesignal",),
    operations={("POST", "/notifications"): create},
    new_keys=_new_keys,
    variables=_variables,
    too_many=_too_many,
    per_second=150,  # "Free plans: 150 requests/sec/app"
)
