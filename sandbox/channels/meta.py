"""Meta Marketing API: users of a customer-file custom audience.

Users: https://developers.facebook.com/documentation/ads-commerce/marketing-api/reference/custom-audience/users;
keys, hashing, sessions: .../marketing-api/audiences/guides/custom-audiences.

Faults left to the operation: `throttle` (an error of the account's limits, HTTP 400).
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Any

from sandbox.channels import lists
from sandbox.channels.vendor import Answer, Exchange, RefusalError, Vendor

# "each request can take up to 10,000 users"
_USERS = 10_000
_HASHED = {
    "EMAIL",
    "PHONE",
    "GEN",
    "DOBY",
    "DOBM",
    "DOBD",
    "LN",
    "FN",
    "CT",
    "ST",
    "ZIP",
    "COUNTRY",
}
_PLAIN = {"EXTERN_ID", "MADID"}
_HASH = re.compile(r"[0-9a-f]{64}")
# Matching is by these; names and places only add to them.
_IDENTITY = ("EXTERN_ID", "EMAIL", "PHONE", "MADID")


def add(exchange: Exchange) -> Answer:
    """`POST /{audience_id}/users`."""
    return _change(exchange, lists.add)


def remove(exchange: Exchange) -> Answer:
    """`DELETE /{audience_id}/users`: whom the audience does not hold is no error."""
    return _change(exchange, lists.remove)


def read(exchange: Exchange) -> Answer:
    """`GET /{audience_id}`: the fields asked for; a size is told in round numbers only.

    https://developers.facebook.com/docs/marketing-api/reference/custom-audience
    """
    _admit(exchange)
    found = lists.matched(exchange, exchange.path["audience"])
    known = {
        "approximate_count_lower_bound": found // 10 * 10,
        "approximate_count_upper_bound": -(-found // 10) * 10,
    }
    asked = exchange.query.get("fields", "").split(",")
    shown = {name: known[name] for name in asked if name in known}
    return Answer(200, {"id": exchange.path["audience"], **shown})


def _change(exchange: Exchange, change: Any) -> Answer:
    """ "num_received", "num_invalid_entries": the valid entries take effect, the others are
    counted; samples show entries without saying which.
    """
    _admit(exchange)
    given = exchange.document()
    schema, data = _payload(given.get("payload"))
    session = _check_session(given.get("session"))
    entries = [dict(zip(schema, entry, strict=True)) for entry in data]
    good = [entry for entry in entries if _is_valid(entry) and not _is_refused(exchange, entry)]
    change(exchange, exchange.path["audience"], [_identity(entry) for entry in good])
    return Answer(200, {
        "audience_id": exchange.path["audience"],
        "session_id": str(session),
        "num_received": len(entries),
        "num_invalid_entries": len(entries) - len(good),
        "invalid_entry_samples": {},
    })  # fmt: skip


def _payload(payload: Any) -> tuple[list[str], list[list[str]]]:
    if not isinstance(payload, dict):
        raise _refusal(100, "(#100) The parameter payload is required")
    schema, data = payload.get("schema"), payload.get("data")
    if not isinstance(schema, list) or set(schema) - _HASHED - _PLAIN:
        raise _refusal(100, f"(#100) Invalid schema: {schema}")
    if not isinstance(data, list) or not 0 < len(data) <= _USERS:
        raise _refusal(100, f"(#100) data must hold 1 to {_USERS} users")
    if any(not isinstance(entry, list) or len(entry) != len(schema) for entry in data):
        raise _refusal(100, "(#100) Each entry must have the keys of the schema")
    return schema, data


def _check_session(session: Any) -> int:
    """ "session_id: a 64-bit number", "batch_seq: start from 1", "last_batch_flag"."""
    given = session if isinstance(session, dict) else {}
    session_id, number = given.get("session_id"), given.get("batch_seq")
    if not isinstance(session_id, int) or not 0 < session_id < 2**63:
        raise _refusal(100, "(#100) session_id must be a positive 64-bit integer")
    if not isinstance(number, int) or number < 1 or not isinstance(given["last_batch_flag"], bool):
        raise _refusal(100, "(#100) batch_seq starts at 1 and last_batch_flag is a boolean")
    return session_id


def _is_valid(entry: Mapping[str, str]) -> bool:
    hashes = [value for key, value in entry.items() if key in _HASHED and value]
    return all(_HASH.fullmatch(value) for value in hashes) and bool(_identity(entry))


def _is_refused(exchange: Exchange, entry: Mapping[str, str]) -> bool:
    return any(exchange.fate(value, {}) == "refused" for value in entry.values() if value)


def _identity(entry: Mapping[str, str]) -> list[str]:
    """ "In case a key is unknown, it should be left blank." """
    return [f"{key}:{entry[key]}" for key in _IDENTITY if entry.get(key)]


def _admit(exchange: Exchange) -> None:
    """A token in `Authorization: Bearer` or `access_token`; error codes:
    https://developers.facebook.com/docs/graph-api/guides/error-handling
    """
    lists.prepare(exchange.connection)
    scheme, _, token = exchange.headers.get("authorization", "").partition(" ")
    given = token if scheme == "Bearer" else exchange.query.get("access_token", "")
    if not hmac.compare_digest(given.encode(), exchange.keys["meta_token"].encode()):
        raise _refusal(190, "Error validating access token: the session is invalid.")
    if exchange.path["audience"] != exchange.keys["meta_audience"]:
        words = (
            f"Unsupported post request. Object with ID '{exchange.path['audience']}' does not exist"
        )
        raise _refusal(100, words, 33)
    if exchange.fault and exchange.fault.kind == "throttle":
        # https://developers.facebook.com/docs/graph-api/overview/rate-limiting
        raise _refusal(80003, "There have been too many calls for this Custom Audience.", 2446079)


def _refusal(code: int, words: str, subcode: int | None = None) -> RefusalError:
    error: dict[str, Any] = {"message": words, "type": "OAuthException", "code": code,
                             "fbtrace_id": "EJplcsCHuLu"}  # fmt: skip
    return RefusalError(
        Answer(400, {"error": error | ({"error_subcode": subcode} if subcode else {})})
    )


def _too_many() -> Answer:
    return Answer(429, {"error": {"message": "User request limit reached", "code": 17}})


def _new_keys() -> dict[str, str]:
    audience = str(23_840_000_000_000_000 + secrets.randbelow(10**12))
    return {"meta_token": f"EAA{secrets.token_hex(40)}", "meta_audience": audience}


def _variables(url: str, keys: Mapping[str, str]) -> dict[str, str]:
    return {
        "META_API_URL": f"{url}/v25.0",
        "META_ACCESS_TOKEN": keys["meta_token"],
        "META_AUDIENCE_ID": keys["meta_audience"],
    }


VENDOR = Vendor(
    name="meta",
    channels=("meta_ads",),
    operations={
        ("GET", "/v25.0/{audience}"): read,
        ("POST", "/v25.0/{audience}/users"): add,
        ("DELETE", "/v25.0/{audience}/users"): remove,
    },
    new_keys=_new_keys,
    variables=_variables,
    too_many=_too_many,
)
