"""A receiver of the webhook's published wire format (docs/sync.md), and a faulty one on demand.

Faults of its own, by `sandbox.channels.store.inject`: `silent` (rows: positions that get no
result), `reject` (rows, code, message), `strange` (results with ids nobody sent, and no object).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any

from sandbox.channels.store import Fault
from sandbox.channels.vendor import Answer, Exchange, RefusalError, Vendor

_ACTIONS = ("add", "update", "remove", "message", "suppress")


def receive(exchange: Exchange) -> Answer:
    """`POST /hook`: a batch, each once; a repeated batch id is answered with 409."""
    _check_signature(exchange)
    batch = exchange.document()
    batch_id = exchange.headers.get("idempotency-key", "")
    rows = batch.get("rows")
    if not batch_id or batch.get("batch_id") != batch_id or not isinstance(rows, list):
        raise _refusal(400, "not a batch")
    if exchange.reply(batch_id):
        raise _refusal(409, "this batch was applied before")
    for row in rows:
        if set(row) != {"row_id", "action", "customer_id", "fields"}:
            raise _refusal(422, "a row has other keys than the format")
        if row["action"] not in _ACTIONS:
            raise _refusal(422, f"no such action: {row['action']}")
        if exchange.fate(row["customer_id"], {}) == "poison":
            raise _refusal(422, "a row of this batch cannot be read")
    results: list[Any] = [
        result for n, row in enumerate(rows) for result in _apply(exchange, n, row)
    ]
    if exchange.fault and exchange.fault.kind == "strange":
        results += [{"row_id": "nobody", "status": "ok"}, "what", {"status": "ok"}]
    return exchange.remember(batch_id, Answer(200, {"results": results}))


def _apply(exchange: Exchange, position: int, row: dict[str, Any]) -> list[dict[str, Any]]:
    """The results of one row; none when the receiver is silent about it."""
    fault = exchange.fault or Fault("")
    is_meant = position in fault.detail.get("rows", [])
    if fault.kind == "reject" and is_meant:
        return [_result(row, "rejected", fault.detail["code"], fault.detail["message"])]
    if exchange.fate(row["customer_id"], {}) == "refused":
        return [_result(row, "rejected", "no_such_customer", "this customer is not known here")]
    exchange.log(
        row["action"],
        recipient=row["customer_id"],
        reference=row["row_id"],
        content=row["fields"],
    )
    return [] if fault.kind == "silent" and is_meant else [_result(row, "ok")]


def _result(
    row: dict[str, Any], status: str, code: str | None = None, message: str | None = None
) -> dict[str, Any]:
    return {"row_id": row["row_id"], "status": status, "code": code, "message": message}


def _check_signature(exchange: Exchange) -> None:
    timestamp = exchange.headers.get("x-khach-timestamp", "")
    signed = timestamp.encode() + b"." + exchange.body
    secret = exchange.keys["webhook_secret"].encode()
    wanted = "v1=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()
    given = exchange.headers.get("x-khach-signature", "")
    if not timestamp.isdecimal() or not hmac.compare_digest(given.encode(), wanted.encode()):
        raise _refusal(401, "the signature is wrong")


def _refusal(status: int, words: str) -> RefusalError:
    return RefusalError(Answer(status, {"message": words}))


def _new_keys() -> dict[str, str]:
    return {"webhook_secret": secrets.token_hex(32)}


def _variables(url: str, keys: Mapping[str, str]) -> dict[str, str]:
    return {"WEBHOOK_URL": f"{url}/hook", "WEBHOOK_SECRET": keys["webhook_secret"]}


VENDOR = Vendor(
    name="webhook",
    channels=("webhook",),
    operations={("POST", "/hook"): receive},
    new_keys=_new_keys,
    variables=_variables,
    too_many=lambda: Answer(429, {"message": "slower"}, {"Retry-After": "1"}),
    at_once=20,
)
