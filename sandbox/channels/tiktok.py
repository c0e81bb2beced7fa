"""TikTok API for Business v1.3: customer-file audiences, built long after they were asked for.

Upload: https://business-api.tiktok.com/portal/docs?id=1739940567842818; create:
?id=1739940570793985; update: ?id=1739940572667906; get: ?id=1739940507792385; list:
?id=1739940506015746; the file: https://ads.tiktok.com/help/article/how-to-create-a-custom-audience-with-a-customer-file.
Everything is answered with 200; `code` says whether it went well (portal/docs?id=1737172488964097).

Faults left to the operations: `slow` (patience: questions until the audience is built).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from sandbox.channels import lists
from sandbox.channels.vendor import Answer, Exchange, RefusalError, Vendor

_BASE = "/open_api/v1.3/dmp/custom_audience"
# "will fail if the audience size is less than 1,000 after the operation"; "File must contain at
# least 1000 entries".
_LEAST = 1_000
_NAME_LENGTH = 128
_PATIENCE = 1
_TYPES = {
    "EMAIL_SHA256": ["email_sha256"],
    "PHONE_SHA256": ["phone_sha256"],
    "MULTIPLE_TYPES": None,
}
_COLUMNS = {"email_sha256", "phone_sha256"}
_HASH = re.compile(r"[0-9a-f]{64}")
_BUILDING = {"is_valid": False, "error_msg": ""}


def upload(exchange: Exchange) -> Answer:
    """`POST /file/upload/`, multipart: the file's MD5 and its kind of encryption must be right."""
    parts = _form(exchange)
    _admit(exchange, str(parts.get("advertiser_id")))
    content, name = parts["file"], str(parts["file name"])
    if not name.endswith((".csv", ".txt")):
        raise _refusal(40002, "Only supports CSV and TXT files.")
    digest = hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
    if parts.get("file_signature") != digest:
        raise _refusal(40002, "file_signature: the MD5 of the file does not match")
    kind = str(parts.get("calculate_type"))
    if kind not in _TYPES:
        raise _refusal(40002, f"calculate_type: {kind} is not one of the allowed values")
    path = f"{exchange.keys['tiktok_advertiser']}/{exchange.request_id}"
    rows = _rows(kind, content)
    lists.put(exchange.connection, exchange.vendor, "file", path, {"type": kind, "rows": rows})
    return _fine({"file_path": path})


def create(exchange: Exchange) -> Answer:
    """`POST /create/`: an audience of uploaded files."""
    given = _given(exchange)
    if not 0 < len(str(given.get("custom_audience_name") or "")) <= _NAME_LENGTH:
        raise _refusal(40002, f"custom_audience_name: length limit: {_NAME_LENGTH} characters")
    people = _people(exchange, given, str(given.get("calculate_type")))
    audience = str(7_000_000_000_000_000_000 + secrets.randbelow(10**15))
    details = {"audience_id": audience, "name": given["custom_audience_name"],
               "audience_type": "Customer File Audience", "calculate_type": given["calculate_type"],
               "is_creator": True, "shared": False}  # fmt: skip
    _build(exchange, details, people, "REPLACE")
    return _fine({"custom_audience_id": audience})


def update(exchange: Exchange) -> Answer:
    """`POST /update/`: APPEND, REMOVE or REPLACE (the default) by files of the same type."""
    given = _given(exchange)
    details = _details(exchange, str(given.get("custom_audience_id")))
    if details is None:
        raise _refusal(40002, "custom_audience_id: the audience does not exist")
    action = given.get("action", "REPLACE")
    if action not in ("APPEND", "REMOVE", "REPLACE"):
        raise _refusal(40002, f"action: {action} is not one of the allowed values")
    _build(exchange, details, _people(exchange, given, details["calculate_type"]), action)
    return _fine({})


def get(exchange: Exchange) -> Answer:
    """`GET /get/`: details of the audiences asked for; unknown ones are left out."""
    _admit(exchange, exchange.query.get("advertiser_id", ""))
    found = []
    for audience in json.loads(exchange.query["custom_audience_ids"]):
        details = _details(exchange, audience)
        if details is None:
            continue
        job = lists.get(exchange.connection, exchange.vendor, "job", audience)
        # "Audiences that are being calculated or are expired are not valid."
        done = lists.asked_enough(exchange, "job", audience, job)
        state = {"is_valid": not job["error_msg"], "error_msg": job["error_msg"],
                 "cover_num": lists.matched(exchange, audience)}  # fmt: skip
        found.append({"audience_details": details | (state if done else _BUILDING),
                      "audience_history": []})  # fmt: skip
    return _fine({"list": found})


def listing(exchange: Exchange) -> Answer:
    """`GET /list/`: all audiences of the advertiser, page by page."""
    _admit(exchange, exchange.query.get("advertiser_id", ""))
    page, size = int(exchange.query.get("page", 1)), int(exchange.query.get("page_size", 10))
    if not 1 <= size <= 100:
        raise _refusal(40002, "page_size: value range: 1-100")
    every = list(lists.documents(exchange.connection, exchange.vendor, "audience").values())
    pages = -(-len(every) // size)
    shown = every[(page - 1) * size : page * size]
    info = {"page": page, "page_size": size, "total_number": len(every), "total_page": pages}
    return _fine({"list": shown, "page_info": info})


def _build(
    exchange: Exchange, details: dict[str, Any], people: list[list[str]], action: str
) -> None:
    """What the audience will be; too small, it stays as it was, which shows only later."""
    audience = details["audience_id"]
    lists.put(exchange.connection, exchange.vendor, "audience", audience, details)
    before = lists.people(exchange.connection, exchange.vendor, audience)
    if action == "REPLACE":
        lists.clear(exchange, audience)
    change = lists.remove if action == "REMOVE" else lists.add
    change(exchange, audience, people)
    error = ""
    if len(lists.people(exchange.connection, exchange.vendor, audience)) < _LEAST:
        error = f"The audience size is less than {_LEAST}"
        lists.clear(exchange, audience)
        lists.add(exchange, audience, [[one, *(all_ - {one})] for one, all_ in before.items()])
    fault = exchange.fault
    patience = fault.detail["patience"] if fault and fault.kind == "slow" else _PATIENCE
    job = {"asked": 0, "patience": patience, "error_msg": error}
    lists.put(exchange.connection, exchange.vendor, "job", audience, job)


def _people(exchange: Exchange, given: dict[str, Any], kind: str) -> list[list[str]]:
    """ "The files must be encrypted with the same encryption method/type with the audience." """
    people: list[list[str]] = []
    for path in given.get("file_paths") or []:
        file = lists.get(exchange.connection, exchange.vendor, "file", path)
        if file is None or file["type"] != kind:
            raise _refusal(40002, "file_paths: the file is unknown, or of another encryption type")
        if len(file["rows"]) < _LEAST:
            raise _refusal(40002, f"file_paths: the file has less than {_LEAST} entries")
        people += file["rows"]
    if not people:
        raise _refusal(40002, "file_paths: Missing data for required field.")
    return people


def _rows(kind: str, content: str) -> list[list[str]]:
    """A person a line; a file of several types begins with a header ("Required header")."""
    lines = content.splitlines()
    columns = _TYPES[kind]
    if columns is None:
        columns = lines.pop(0).lower().split(",")
    if set(columns) - _COLUMNS:
        raise _refusal(40002, f"file: unknown header {columns}")
    people = []
    for line in lines:
        values = line.split(",")
        hashes = [value for value in values if value]
        if len(values) != len(columns) or not hashes or not all(map(_HASH.fullmatch, hashes)):
            raise _refusal(40002, "file: the data does not match calculate_type")
        people.append([f"{c}:{v}" for c, v in zip(columns, values, strict=True) if v])
    return people


def _form(exchange: Exchange) -> dict[str, str]:
    """The fields of a multipart form; `file name` is the name that its file came under."""
    head = f"Content-Type: {exchange.headers.get('content-type', '')}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + exchange.body)
    parts = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        parts[str(name)] = payload.decode() if isinstance(payload, bytes) else ""
        if part.get_filename():
            parts["file name"] = str(part.get_filename())
    if "file name" not in parts:
        raise _refusal(40002, "file: Missing data for required field.")
    return parts


def _given(exchange: Exchange) -> dict[str, Any]:
    given = exchange.document()
    _admit(exchange, str(given.get("advertiser_id")))
    return given


def _details(exchange: Exchange, audience: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = lists.get(
        exchange.connection, exchange.vendor, "audience", audience
    )
    return found


def _admit(exchange: Exchange, advertiser: str) -> None:
    """`Access-Token` in the header; the advertiser must have granted its audiences."""
    lists.prepare(exchange.connection)
    given = exchange.headers.get("access-token", "").encode()
    if not hmac.compare_digest(given, exchange.keys["tiktok_token"].encode()):
        raise _refusal(40105, "Access token is incorrect or has been revoked.")
    if advertiser != exchange.keys["tiktok_advertiser"]:
        raise _refusal(40001, "advertiser does not grant you this permission")


def _fine(data: dict[str, Any]) -> Answer:
    return Answer(200, {"code": 0, "message": "OK", "request_id": "2026", "data": data})


def _refusal(code: int, words: str) -> RefusalError:
    return RefusalError(Answer(200, {"code": code, "message": words, "request_id": "2026",
                                     "data": {}}))  # fmt: skip


def _too_many() -> Answer:
    return Answer(200, {"code": 40100, "message": "Too many requests.", "data": {}})


def _new_keys() -> dict[str, str]:
    return {
        "tiktok_token": secrets.token_hex(20),
        "tiktok_advertiser": str(7_100_000_000_000_000_000 + secrets.randbelow(10**15)),
    }


def _variables(url: str, keys: Mapping[str, str]) -> dict[str, str]:
    return {
        "TIKTOK_API_URL": f"{url}/open_api/v1.3",
        "TIKTOK_ACCESS_TOKEN": keys["tiktok_token"],
        "TIKTOK_ADVERTISER_ID": keys["tiktok_advertiser"],
        "TIKTOK_AUDIENCE": "Khách",
    }


VENDOR = Vendor(
    name="tiktok",
    channels=("tiktok_ads",),
    operations={
        ("POST", f"{_BASE}/file/upload/"): upload,
        ("POST", f"{_BASE}/create/"): create,
        ("POST", f"{_BASE}/update/"): update,
        ("GET", f"{_BASE}/get/"): get,
        ("GET", f"{_BASE}/list/"): listing,
    },
    new_keys=_new_keys,
    variables=_variables,
    too_many=_too_many,
    per_second=10,  # an app's default: https://business-api.tiktok.com/portal/docs ("Rate limits")
)
