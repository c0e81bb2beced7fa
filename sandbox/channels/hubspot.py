"""HubSpot CRM v3: contacts in batches, members of static lists.

Batch: https://developers.hubspot.com/docs/api-reference/crm-contacts-v3/batch/post-crm-v3-objects-contacts-batch-upsert;
lists: https://developers.hubspot.com/docs/api-reference/crm-lists-v3; the published contract is
the vendor's own client's.

Fates of an address: `refused` (its row fails, the answer is 207), `spoils` (the whole batch is
refused), `missing` (written, but gone when the list is changed).
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections import Counter
from collections.abc import Mapping
from typing import Any

from sandbox.channels import lists
from sandbox.channels.vendor import Answer, Exchange, RefusalError, Vendor

# "The request may have up to 100 records": https://developers.hubspot.com/docs/guides/api/crm/objects/contacts
_INPUTS = 100
_PAGE = 250
# https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines: private apps,
# Professional and up.
_CALLS, _SECONDS = 190, 10
_FATES = {"refused": 3}
_PROPERTY = re.compile(r"[a-z][a-z0-9_]*")
_MOMENT = "2026-01-01T00:00:00.000Z"


def upsert(exchange: Exchange) -> Answer:
    """`POST /crm/v3/objects/contacts/batch/upsert`: each input by its own unique property."""
    inputs = _inputs(exchange)
    results, errors = [], []
    for entry in inputs:
        email = str(entry["id"]).lower()
        if exchange.fate(email, _FATES) == "refused":
            errors.append(_error(entry, f"Email address {email} is invalid"))
            continue
        results.append(_write(exchange, email, entry))
    body = {"completedAt": _MOMENT, "startedAt": _MOMENT, "status": "COMPLETE",
            "results": results[::-1]}  # fmt: skip
    # "207: some failed", with the rest done; else 200 (the contract's word; examples show 201).
    if errors:
        return Answer(207, body | {"numErrors": len(errors), "errors": errors})
    return Answer(200, body)


def read(exchange: Exchange) -> Answer:
    """`POST /crm/v3/objects/contacts/batch/read`: those found, whoever was asked for."""
    inputs = _inputs(exchange)
    found = [_record_id(exchange, str(one["id"]).lower()) for one in inputs]
    results = [_contact(exchange, record_id) for record_id in found if record_id]
    return Answer(200, {"completedAt": _MOMENT, "startedAt": _MOMENT, "status": "COMPLETE",
                        "results": results})  # fmt: skip


def get_list(exchange: Exchange) -> Answer:
    """`GET /crm/v3/lists/{listId}`."""
    _admit(exchange)
    kind = _list(exchange)
    return Answer(200, {"list": {
        "listId": exchange.path["list_id"], "listVersion": 1, "name": "Khách",
        "objectTypeId": "0-1", "processingType": kind, "processingStatus": "COMPLETE",
    }})  # fmt: skip


def change(exchange: Exchange) -> Answer:
    """`PUT .../memberships/add-and-remove`: unknown records come back as missing; a member added
    again is not told as added ("this endpoint only works for MANUAL or SNAPSHOT lists").
    """
    _admit(exchange)
    if _list(exchange) not in ("MANUAL", "SNAPSHOT"):
        raise _refusal(400, "VALIDATION_ERROR", "List is not MANUAL or SNAPSHOT")
    given = exchange.document()
    list_id = exchange.path["list_id"]
    asked = {name: [str(one) for one in given[f"recordIdsTo{name}"]] for name in ("Add", "Remove")}
    # At most 250 records a call: https://developers.hubspot.com/docs/guides/api/crm/lists/overview
    if sum(map(len, asked.values())) > _PAGE:
        raise _refusal(400, "VALIDATION_ERROR", f"At most {_PAGE} records")
    missing = [one for one in asked["Add"] + asked["Remove"] if not _is_there(exchange, one)]
    added = [one for one in asked["Add"] if one not in missing and not _is_in(exchange, one)]
    removed = [one for one in asked["Remove"] if one not in missing and _is_in(exchange, one)]
    lists.add(exchange, list_id, [[one] for one in added])
    lists.remove(exchange, list_id, [[one] for one in removed])
    return Answer(200, {"recordsIdsAdded": added, "recordIdsRemoved": removed,
                        "recordIdsMissing": missing})  # fmt: skip


def memberships(exchange: Exchange) -> Answer:
    """`GET .../memberships`: in the order of record ids, at most 250 a page."""
    _admit(exchange)
    _list(exchange)
    found = lists.people(exchange.connection, exchange.vendor, exchange.path["list_id"])
    ordered = sorted(map(int, found))
    rest = [one for one in ordered if one > int(exchange.query.get("after") or 0)]
    limit = int(exchange.query.get("limit") or 100)
    if limit > _PAGE:
        raise _refusal(400, "VALIDATION_ERROR", f"limit is at most {_PAGE}")
    page = rest[:limit]
    body: dict[str, Any] = {
        "total": len(ordered),
        "results": [{"recordId": str(one), "membershipTimestamp": _MOMENT} for one in page],
    }
    if len(rest) > len(page):
        body["paging"] = {"next": {"after": str(page[-1])}}
    return Answer(200, body)


def _inputs(exchange: Exchange) -> list[dict[str, Any]]:
    _admit(exchange)
    inputs = exchange.document().get("inputs")
    if not isinstance(inputs, list) or not 0 < len(inputs) <= _INPUTS:
        raise _refusal(400, "VALIDATION_ERROR", f"A batch has 1 to {_INPUTS} inputs")
    repeated = [
        one for one, count in Counter(str(e.get("id")) for e in inputs).items() if count > 1
    ]
    if repeated:
        raise _refusal(400, "VALIDATION_ERROR", f"Duplicate IDs found in batch input: {repeated}")
    for entry in inputs:
        if exchange.fate(str(entry["id"]).lower(), {}) == "spoils":
            raise _refusal(400, "VALIDATION_ERROR", f"Invalid email address {entry['id']}")
        unknown = [one for one in entry.get("properties") or {} if not _is_property(exchange, one)]
        if unknown:
            error = {"message": f'Property "{unknown[0]}" does not exist',
                     "code": "PROPERTY_DOESNT_EXIST"}  # fmt: skip
            raise _refusal(400, "VALIDATION_ERROR", "Property values were not valid", [error])
    return inputs


def _is_property(exchange: Exchange, name: str) -> bool:
    """A portal's properties are its own; this one lacks those of fate `absent`."""
    return bool(_PROPERTY.fullmatch(name)) and exchange.fate(f"property {name}", {}) != "absent"


def _write(exchange: Exchange, email: str, entry: dict[str, Any]) -> dict[str, Any]:
    found = _record_id(exchange, email)
    record_id = found or _new_record_id(exchange, email)
    known = lists.get(exchange.connection, exchange.vendor, "contact", record_id) or {}
    properties = {**known, **entry.get("properties", {}), "email": email}
    lists.put(exchange.connection, exchange.vendor, "contact", record_id, properties)
    result = _contact(exchange, record_id) | {"new": found is None}
    if trace := entry.get("objectWriteTraceId"):
        result["objectWriteTraceId"] = trace
    return result


def _contact(exchange: Exchange, record_id: str) -> dict[str, Any]:
    properties = lists.get(exchange.connection, exchange.vendor, "contact", record_id)
    return {"id": record_id, "properties": properties, "createdAt": _MOMENT, "updatedAt": _MOMENT,
            "archived": False}  # fmt: skip


def _record_id(exchange: Exchange, email: str) -> str | None:
    found = lists.get(exchange.connection, exchange.vendor, "record", email)
    return str(found) if found else None


def _new_record_id(exchange: Exchange, email: str) -> str:
    last = lists.get(exchange.connection, exchange.vendor, "last", "record") or 1000
    for kind, key in (("last", "record"), ("record", email)):
        lists.put(exchange.connection, exchange.vendor, kind, key, last + 1)
    return str(last + 1)


def _is_there(exchange: Exchange, record_id: str) -> bool:
    contact = lists.get(exchange.connection, exchange.vendor, "contact", record_id)
    return bool(contact) and exchange.fate(contact["email"], {}) != "missing"


def _is_in(exchange: Exchange, record_id: str) -> bool:
    row = exchange.connection.execute(
        "select 1 from list_members where vendor = ? and list_id = ? and person = ?",
        (exchange.vendor, exchange.path["list_id"], record_id),
    ).fetchone()
    return row is not None


def _error(entry: dict[str, Any], words: str) -> dict[str, Any]:
    trace = entry.get("objectWriteTraceId")
    context = {"objectWriteTraceId": [trace]} if trace else {"id": [entry["id"]]}
    return {"status": "error", "category": "VALIDATION_ERROR", "message": words,
            "context": context, "links": {}, "errors": []}  # fmt: skip


def _list(exchange: Exchange) -> str:
    """How the list is filled: the sandbox's own by hand, `dynamic` by filters."""
    list_id = exchange.path["list_id"]
    if list_id == exchange.keys["hubspot_list"]:
        return "MANUAL"
    if list_id == "9":
        return "DYNAMIC"
    raise _refusal(404, "OBJECT_NOT_FOUND", f"List does not exist with ID {list_id}")


def _admit(exchange: Exchange) -> None:
    lists.prepare(exchange.connection)
    given = exchange.headers.get("authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {exchange.keys['hubspot_token']}".encode()):
        raise _refusal(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")
    if lists.recent(exchange, _SECONDS) >= _CALLS:
        raise RefusalError(_too_many())


def _refusal(
    status: int, category: str, words: str, errors: list[dict[str, Any]] | None = None
) -> RefusalError:
    body = {"status": "error", "category": category, "message": words,
            "correlationId": "aeb5f871-7f07-4993-9211-075dc63e7cbf"}  # fmt: skip
    return RefusalError(Answer(status, body | ({"errors": errors} if errors else {})))


def _too_many() -> Answer:
    """429 carries `policyName`, no Retry-After: the page of the usage guidelines."""
    return Answer(429, {
        "status": "error", "message": "You have reached your ten_secondly_rolling limit.",
        "errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING", "category": "RATE_LIMITS",
        "correlationId": "c033cdaa-2c40-4a64-ae48-b4cec88dad24",
    })  # fmt: skip


def _new_keys() -> dict[str, str]:
    return {"hubspot_token": f"pat-na1-{secrets.token_hex(16)}", "hubspot_list": "17"}


def _variables(url: str, keys: Mapping[str, str]) -> dict[str, str]:
    return {
        "HUBSPOT_API_URL": url,
        "HUBSPOT_ACCESS_TOKEN": keys["hubspot_token"],
        "HUBSPOT_LIST_ID": keys["hubspot_list"],
    }


_CONTACTS = "/crm/v3/objects/contacts/batch"
_LIST = "/crm/v3/lists/{list_id}"
VENDOR = Vendor(
    "hubspot",
    ("hubspot",),
    {
        ("POST", f"{_CONTACTS}/upsert"): upsert,
        ("POST", f"{_CONTACTS}/read"): read,
        ("GET", _LIST): get_list,
        ("GET", f"{_LIST}/memberships"): memberships,
        ("PUT", f"{_LIST}/memberships/add-and-remove"): change,
    },
    _new_keys,
    _variables,
    _too_many,
)
