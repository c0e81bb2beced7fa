"""Zalo Notification Service: messages after approved templates, to a phone number.

Send: https://developers.zalo.me/docs/zalo-notification-service/gui-tin-zns/gui-zns. Every answer is
HTTP 200; `error` says whether it was a success. Codes and words:
https://zalo.cloud/zns/guidelines/handle-error-code (-115 and above -118 as used by public clients;
that part of the page was not at hand).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from typing import Any

from sandbox.channels.phones import is_mobile
from sandbox.channels.vendor import Answer, Exchange, RefusalError, Vendor

# People of a life-like retailer: no Zalo account; they refused this business; the phone is off.
FATES = {"no_account": 120, "refused": 15, "unreachable": 20}
# Templates that the sandbox's business has had approved: id -> parameters.
TEMPLATES = {
    "310001": ("customer_name", "product_name"),
    "310002": ("customer_name", "order_id"),
    "310003": ("customer_name", "offer_code", "expires_on"),
}
_WORDS = {
    -100: "Unknown error",
    -107: "Message ID invalid",
    -108: "Phone number invalid",
    -109: "Template ID invalid",
    -111: "Template data empty",
    -112: "Template data invalid",
    -115: "Out of quota",
    -118: "Zalo account not existed",
    -124: "Access token invalid",
    -141: "User has refused to receive messages of this Official Account",
    -144: "Official Account exceeded its daily quota",
}


def send(exchange: Exchange) -> Answer:
    """`POST /message/template`: one message. tracking_id is an echo, no idempotency key."""
    _check_token(exchange)
    given = exchange.document()
    if exchange.fault and exchange.fault.kind == "error":
        raise _refusal(exchange.fault.detail["code"])
    phone = str(given.get("phone", ""))
    if not is_mobile(phone):
        raise _refusal(-108)
    parameters = _parameters(str(given.get("template_id", "")))
    data = given.get("template_data")
    if not isinstance(data, dict) or (parameters and not data):
        raise _refusal(-111)
    if set(data) != set(parameters) or not all(str(value).strip() for value in data.values()):
        raise _refusal(-112)
    fate = exchange.fate(phone, FATES)
    if code := {"no_account": -118, "refused": -141}.get(fate):
        raise _refusal(code)
    effect_id = exchange.log(
        "message", recipient=phone, reference=str(given.get("tracking_id", "")), content=given
    )
    return _success({
        "msg_id": effect_id,
        "sent_time": str(int(exchange.now.timestamp() * 1000)),
        "quota": {"dailyQuota": "100000", "remainingQuota": "99999"},
    })  # fmt: skip


def status(exchange: Exchange) -> Answer:
    """`GET /message/status`: -1 no such message, 0 with the servers of Zalo, 1 on the phone."""
    _check_token(exchange)
    message_id = exchange.query.get("message_id", "")
    if not message_id:
        raise _refusal(-107)
    found = exchange.asked(message_id)
    if found is None:
        return _success({"message": "The message does not exist", "status": -1})
    if found["asked"] < 2 or exchange.fate(found["recipient"], FATES) in ("unreachable", "slow"):
        words = (
            "The message is pushed successfully to Zalo server but not delivered to user's phone"
        )
        return _success({"message": words, "status": 0})
    return _success({
        "delivery_time": str(int(exchange.now.timestamp() * 1000)),
        "message": "The message was delivered to the user's phone",
        "status": 1,
    })  # fmt: skip


def template(exchange: Exchange) -> Answer:
    """`GET /template/info/v2`: a template's state and parameters."""
    _check_token(exchange)
    template_id = exchange.query.get("template_id", "")
    parameters = _parameters(template_id)
    return _success({
        "templateId": template_id, "templateName": f"Template {template_id}", "status": "ENABLE",
        "listParams": [
            {"name": name, "require": True, "type": "STRING", "minLength": 1, "maxLength": 200}
            for name in parameters
        ],
    })  # fmt: skip


def _check_token(exchange: Exchange) -> None:
    given = exchange.headers.get("access_token", "").encode()
    if not hmac.compare_digest(given, exchange.keys["zalo_token"].encode()):
        raise _refusal(-124)


def _parameters(template_id: str) -> tuple[str, ...]:
    found = TEMPLATES.get(template_id)
    if found is None:
        raise _refusal(-109)
    return found


def _success(data: dict[str, Any]) -> Answer:
    return Answer(200, {"error": 0, "message": "Success", "data": data})


def _refusal(code: int) -> RefusalError:
    return RefusalError(Answer(200, {"error": code, "message": _WORDS.get(code, "Error")}))


def _too_many() -> Answer:
    """How Zalo words it is not published; any 429 must do."""
    return Answer(429, {"error": -32, "message": "Too many requests"})


def _new_keys() -> dict[str, str]:
    return {"zalo_token": secrets.token_urlsafe(60)}


def _variables(url: str, keys: Mapping[str, str]) -> dict[str, str]:
    cart, order, offer = TEMPLATES
    return {
        "ZALO_API_URL": url,
        "ZALO_ACCESS_TOKEN": keys["zalo_token"],
        "ZALO_CART_TEMPLATE": cart,
        "ZALO_ORDER_TEMPLATE": order,
        "ZALO_OFFER_TEMPLATE": offer,
    }


VENDOR = Vendor(
    name="zalo",
    channels=("zalo_zns",),
    operations={
        ("POST", "/message/template"): send,
        ("GET", "/message/status"): status,
        ("GET", "/template/info/v2"): template,
    },
    new_keys=_new_keys,
    variables=_variables,
    too_many=_too_many,
)
