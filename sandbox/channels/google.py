"""Google Data Manager API v1: Customer Match members of one audience, asynchronous.

Pages under https://developers.google.com/data-manager/api:
reference/rest/v1/audienceMembers/ingest and /remove, reference/rest/v1/requestStatus/retrieve,
devguides/concepts/formatting, devguides/limits.

Faults left to the operations: `slow` (patience: questions until the request is done), `partial`
(failing: so many of the first members are not processed), `fail` (none is).
"""

from __future__ import annotations

import hmac
import math
import re
import secrets
from collections.abc import Mapping
from typing import Any

from sandbox.channels import lists
from sandbox.channels.vendor import Answer, Exchange, RefusalError, Vendor

# "At most 10000 AudienceMember resources", "at most 10 UserIdentifier": the reference.
_MEMBERS, _IDENTIFIERS = 10_000, 10
_REQUESTS, _SECONDS = 300, 60
_PATIENCE = 1
_HASH = re.compile(r"[0-9a-f]{64}")
_REGION = re.compile(r"[A-Z]{2}")
_GRANTED = {"adUserData": "CONSENT_GRANTED", "adPersonalization": "CONSENT_GRANTED"}


def ingest(exchange: Exchange) -> Answer:
    """`POST /v1/audienceMembers:ingest`."""
    given = _admitted(exchange)
    # "Set the termsOfService ... to ACCEPTED": devguides/audiences/google-ads/customer-match.
    terms = given.get("termsOfService") or {}
    if terms.get("customerMatchTermsOfServiceStatus") != "ACCEPTED":
        raise _invalid("terms_of_service", "TERMS_AND_CONDITIONS_NOT_SIGNED")
    # Consent of European members must be granted; others may leave it out: this one is strict.
    if given.get("consent") != _GRANTED:
        raise _invalid("consent", "USER_CONSENT_NOT_GRANTED")
    return _accept(exchange, given, lists.add, "Ingestion")


def remove(exchange: Exchange) -> Answer:
    """`POST /v1/audienceMembers:remove`: no consent is asked for, nor allowed in the request."""
    given = _admitted(exchange)
    if unknown := set(given) - {"destinations", "audienceMembers", "encoding", "validateOnly"}:
        raise _invalid(sorted(unknown)[0], "INVALID_ARGUMENT")
    return _accept(exchange, given, lists.remove, "Removal")


def retrieve(exchange: Exchange) -> Answer:
    """`GET /v1/requestStatus:retrieve`: told for the whole request, never by member."""
    _authenticate(exchange)
    request_id = exchange.query.get("requestId", "")
    job = lists.get(exchange.connection, exchange.vendor, "request", request_id)
    if job is None:
        raise RefusalError(_error(404, "NOT_FOUND", "Request not found."))
    done = lists.asked_enough(exchange, "request", request_id, job)
    status: dict[str, Any] = {"destination": job["destination"], "requestStatus": "PROCESSING"}
    if done:
        status["requestStatus"] = job["status"]
        told = {"recordCount": str(job["count"])}
        if job["kind"] == "Ingestion":
            told["uploadMatchRateRange"] = job["range"]
        counted = {f"userData{job['kind']}Status": told}
        status[f"audienceMembers{job['kind']}Status"] = counted
        if job["failed"]:
            reason = "PROCESSING_ERROR_REASON_INVALID_USER_IDENTIFIER"
            counts = [{"recordCount": str(job["failed"]), "reason": reason}]
            status["errorInfo"] = {"errorCounts": counts}
    return Answer(200, {"requestStatusPerDestination": [status]})


def _accept(exchange: Exchange, given: dict[str, Any], change: Any, kind: str) -> Answer:
    """The members take effect at once, but for those of a fault; the status comes later."""
    members = given["audienceMembers"]
    fault = exchange.fault.kind if exchange.fault else ""
    detail = exchange.fault.detail if exchange.fault else {}
    failed = {"partial": detail.get("failing", 1), "fail": len(members)}.get(fault, 0)
    audience = given["destinations"][0]["productDestinationId"]
    change(exchange, audience, [_identity(member) for member in members[failed:]])
    status = "FAILED" if fault == "fail" else "PARTIAL_SUCCESS" if failed else "SUCCESS"
    # Whoever lives in the retailer's world is known to the platform in two cases of three.
    known = sum(exchange.fate(_identity(one)[0], {"unmatched": 340}) == "fine" for one in members)
    job = {"destination": given["destinations"][0], "status": status, "failed": failed,
           "kind": kind, "count": len(members), "asked": 0, "range": _range(known / len(members)),
           "patience": detail.get("patience", _PATIENCE)}  # fmt: skip
    lists.put(exchange.connection, exchange.vendor, "request", exchange.request_id, job)
    return Answer(200, {"requestId": exchange.request_id})


def _range(share: float) -> str:
    """The enumeration MatchRateRange of the reference: below 20, then steps of ten percent."""
    if share < 0.2:
        return "MATCH_RATE_RANGE_LESS_THAN_20"
    top = max(30, math.ceil(share * 10) * 10)
    return f"MATCH_RATE_RANGE_{top - 9 if top > 30 else 20}_TO_{top}"


def _admitted(exchange: Exchange) -> dict[str, Any]:
    """The document of a request that keeps the rules; one invalid member refuses all of it."""
    _authenticate(exchange)
    given = exchange.document()
    destinations = given.get("destinations")
    if not isinstance(destinations, list) or len(destinations) != 1:
        raise _invalid("destinations", "REQUIRED_FIELD_MISSING")
    account = destinations[0].get("operatingAccount") or {}
    if account != {"accountType": "GOOGLE_ADS", "accountId": exchange.keys["google_account"]}:
        raise RefusalError(_error(403, "PERMISSION_DENIED", "The caller does not have permission"))
    if destinations[0].get("productDestinationId") != exchange.keys["google_audience"]:
        raise _invalid("destinations[0].product_destination_id", "INVALID_DESTINATION")
    # "Required for UserData uploads."
    if given.get("encoding") != "HEX":
        raise _invalid("encoding", "ENCODING_REQUIRED")
    members = given.get("audienceMembers")
    if not isinstance(members, list) or not 0 < len(members) <= _MEMBERS:
        raise _invalid("audience_members", "TOO_MANY_AUDIENCE_MEMBERS")
    for number, member in enumerate(members):
        if reason := _fault_of(exchange, member):
            raise _invalid(f"audience_members.audience_members[{number}].user_data", reason)
    return given


def _fault_of(exchange: Exchange, member: Any) -> str | None:
    try:
        identifiers = member["userData"]["userIdentifiers"]
    except (KeyError, TypeError):
        return "INVALID_ARGUMENT"
    if not 0 < len(identifiers) <= _IDENTIFIERS:
        return "TOO_MANY_USER_IDENTIFIERS"
    if any(len(one) != 1 for one in identifiers):
        return "MULTIPLE_IDENTIFIERS_IN_ONE"
    if any(exchange.fate(one, {}) == "refused" for one in _identity(member)):
        return "INVALID_USER_IDENTIFIER"
    return None if all(map(_is_formed, identifiers)) else "INVALID_SHA256_FORMAT"


def _is_formed(identifier: Mapping[str, Any]) -> bool:
    """Names hashed, region and postal code not, all four there: devguides/concepts/formatting."""
    if address := identifier.get("address"):
        return (
            set(address) == {"givenName", "familyName", "regionCode", "postalCode"}
            and all(_HASH.fullmatch(address[name]) for name in ("givenName", "familyName"))
            and bool(_REGION.fullmatch(address["regionCode"]))
            and not _HASH.fullmatch(address["postalCode"])
        )
    value = identifier.get("emailAddress") or identifier.get("phoneNumber") or ""
    return bool(_HASH.fullmatch(value))


def _identity(member: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}:{value}"
        for one in member["userData"]["userIdentifiers"]
        for name, value in one.items()
        if name != "address"
    ]


def _authenticate(exchange: Exchange) -> None:
    lists.prepare(exchange.connection)
    given = exchange.headers.get("authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {exchange.keys['google_token']}".encode()):
        words = "Request had invalid authentication credentials."
        raise RefusalError(_error(401, "UNAUTHENTICATED", words))
    if lists.recent(exchange, _SECONDS) >= _REQUESTS:
        raise RefusalError(_too_many())


def _invalid(field: str, reason: str) -> RefusalError:
    violation = {"field": field, "description": "Invalid", "reason": reason}
    detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}
    words = "There was a problem with the request."
    return RefusalError(_error(400, "INVALID_ARGUMENT", words, [detail]))


def _error(
    code: int, status: str, words: str, details: list[dict[str, Any]] | None = None
) -> Answer:
    error = {"code": code, "message": words, "status": status}
    return Answer(code, {"error": error | ({"details": details} if details else {})})


def _too_many() -> Answer:
    """No Retry-After: https://developers.google.com/data-manager/api/devguides/limits"""
    return _error(429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Requests'.")


def _new_keys() -> dict[str, str]:
    return {
        "google_token": f"ya29.{secrets.token_urlsafe(60)}",
        "google_account": str(1_000_000_000 + secrets.randbelow(10**9)),
        "google_audience": str(7_000_000_000 + secrets.randbelow(10**9)),
    }


def _variables(url: str, keys: Mapping[str, str]) -> dict[str, str]:
    return {
        "GOOGLE_DATA_MANAGER_URL": url,
        "GOOGLE_ADS_ACCESS_TOKEN": keys["google_token"],
        "GOOGLE_ADS_ACCOUNT_ID": keys["google_account"],
        "GOOGLE_ADS_AUDIENCE_ID": keys["google_audience"],
    }


VENDOR = Vendor(
    name="google",
    channels=("google_ads",),
    operations={
        ("POST", "/v1/audienceMembers:ingest"): ingest,
        ("POST", "/v1/audienceMembers:remove"): remove,
        ("GET", "/v1/requestStatus:retrieve"): retrieve,
    },
    new_keys=_new_keys,
    variables=_variables,
    too_many=_too_many,
)
