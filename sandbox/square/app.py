"""The tills' HTTP face: routes, token, cursors, refusals in Square's words."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.square import documents
from sandbox.square.tills import fill
from sandbox.world_tables import WorldTables

VERSION = "2025-08-20"
Asked = dict[str, Any]
Answer = dict[str, Any]


@dataclass
class Question:
    """Which rows of a table are asked for, and in which order."""

    table: str
    sort: str
    limit: int
    where: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def require(self, test: str, value: Any) -> None:
        """A further condition with its one value."""
        self.where.append(test)
        self.values.append(value)

    def between(self, column: str, first: str | None, last: str | None) -> None:
        """From `first` on, before `last`; either may be open."""
        for text, test in ((first, ">="), (last, "<")):
            if text:
                self.require(f"{column} {test} cast(? as timestamp)", text.replace("Z", ""))


class RefusalError(Exception):
    """An error answer: status, category, code, detail."""

    def __init__(self, status: int, category: str, code: str, detail: str) -> None:
        super().__init__(code)
        self.status = status
        self.body = {"errors": [{"category": category, "code": code, "detail": detail}]}


def create_app(root: Path, token: str) -> ASGIApp:
    """The API over the tills under `root`; `token` is the one it accepts."""
    tables = WorldTables(root, fill)

    def endpoint(operation: Callable[[WorldTables, Asked], Answer]) -> Any:
        async def answer(request: Request) -> Response:
            body = await request.body()
            return await run_in_threadpool(_answer, tables, token, operation, request, body)

        return answer

    return Starlette(
        routes=[
            Route(path, endpoint(operation), methods=[method])
            for (method, path), operation in OPERATIONS.items()
        ],
        exception_handlers={404: _no_route},
    )


def get_locations(tables: WorldTables, _asked: Asked) -> Answer:
    """Every store."""
    rows = tables.rows("select * from locations order by id")
    return {"locations": [documents.location(row) for row in rows]}


def search_orders(tables: WorldTables, asked: Asked) -> Answer:
    """Orders of up to ten locations, by the time of their last change."""
    locations = asked.get("location_ids") or []
    if not 1 <= len(locations) <= 10:
        raise _invalid("location_ids must contain 1 to 10 locations.")
    query = asked.get("query", {})
    bounds = query.get("filter", {}).get("date_time_filter", {})
    sorted_by = query.get("sort", {}).get("sort_field", "CREATED_AT").lower()
    if "updated_at" in bounds and sorted_by != "updated_at":
        raise _invalid("Sort field must match the date-time filter.")
    question = Question("orders", sorted_by, _limit(asked, 500, 1000))
    question.require("location_id in (select unnest(?))", locations)
    for name, span in bounds.items():
        question.between(name, span.get("start_at"), span.get("end_at"))
    rows, cursor = _page(tables, question, asked)
    lines: dict[str, list[dict[str, Any]]] = {row["id"]: [] for row in rows}
    found = "select * from lines where order_id in (select unnest(?)) order by id"
    for line in tables.rows(found, [list(lines)]):
        lines[line["order_id"]].append(line)
    return {"orders": [documents.order(row, lines[row["id"]]) for row in rows]} | cursor


def get_customers(tables: WorldTables, asked: Asked) -> Answer:
    """All customers, the oldest first."""
    question = Question("customers", "created_at", _limit(asked, 100, 100))
    rows, cursor = _page(tables, question, asked)
    return {"customers": [documents.customer(row) for row in rows]} | cursor


def search_customers(tables: WorldTables, asked: Asked) -> Answer:
    """Customers by the time of their last change."""
    question = Question("customers", "created_at", _limit(asked, 100, 100))
    for name in ("created_at", "updated_at"):
        span = asked.get("query", {}).get("filter", {}).get(name, {})
        question.between(name, span.get("start_at"), span.get("end_at"))
    rows, cursor = _page(tables, question, asked)
    return {"customers": [documents.customer(row) for row in rows]} | cursor


def get_payments(tables: WorldTables, asked: Asked) -> Answer:
    """Payments of a location."""
    rows, cursor = _of_a_location(tables, "payments", asked)
    return {"payments": [documents.payment(row) for row in rows]} | cursor


def get_refunds(tables: WorldTables, asked: Asked) -> Answer:
    """Refunds of a location."""
    rows, cursor = _of_a_location(tables, "refunds", asked)
    return {"refunds": [documents.refund(row) for row in rows]} | cursor


def get_catalog(tables: WorldTables, asked: Asked) -> Answer:
    """Items and categories, 100 a page."""
    types = (asked.get("types") or "ITEM,CATEGORY").upper().split(",")
    products = tables.rows("select * from products order by product_id")
    found = [documents.catalog_item(row) for row in products if "ITEM" in types]
    if "CATEGORY" in types:
        first = {row["category"]: row["updated_at"] for row in reversed(products)}
        found += [documents.category(name, at) for name, at in sorted(first.items())]
    start = int(_decoded(asked)[0]) if asked.get("cursor") else 0
    more = {"cursor": _encoded(str(start + 100))} if start + 100 < len(found) else {}
    return {"objects": found[start : start + 100]} | more


def search_loyalty_accounts(tables: WorldTables, asked: Asked) -> Answer:
    """Accounts of the programme."""
    question = Question("customers", "created_at", _limit(asked, 30, 200))
    rows, cursor = _page(tables, question, asked)
    return {"loyalty_accounts": [documents.loyalty_account(row) for row in rows]} | cursor


OPERATIONS: dict[tuple[str, str], Callable[[WorldTables, Asked], Answer]] = {
    ("GET", "/v2/locations"): get_locations,
    ("POST", "/v2/orders/search"): search_orders,
    ("GET", "/v2/customers"): get_customers,
    ("POST", "/v2/customers/search"): search_customers,
    ("GET", "/v2/payments"): get_payments,
    ("GET", "/v2/refunds"): get_refunds,
    ("GET", "/v2/catalog/list"): get_catalog,
    ("POST", "/v2/loyalty/accounts/search"): search_loyalty_accounts,
}


def _of_a_location(
    tables: WorldTables, table: str, asked: Asked
) -> tuple[list[dict[str, Any]], Answer]:
    location = asked.get("location_id")
    if not location:  # the main location is meant
        location = tables.rows("select min(id) as id from locations")[0]["id"]
    sorted_by = asked.get("sort_field", "CREATED_AT").lower()
    question = Question(table, sorted_by, _limit(asked, 100, 100))
    question.require("location_id = ?", location)
    # Without a beginning the API shows one year.
    year_ago = f"{tables.now.year - 1}{tables.now.isoformat()[4:19]}"
    question.between("created_at", asked.get("begin_time", year_ago), asked.get("end_time"))
    bounds = (asked.get(f"updated_at_{end}_time") for end in ("begin", "end"))
    question.between("updated_at", *bounds)
    return _page(tables, question, asked)


def _page(
    tables: WorldTables, question: Question, asked: Asked
) -> tuple[list[dict[str, Any]], Answer]:
    """A page, and the cursor of the next: it says after which row to go on."""
    by, limit = question.sort, question.limit
    if asked.get("cursor"):
        at, row_id = _decoded(asked)
        question.where.append(f"({by}, id) > (cast(? as timestamp), ?)")
        question.values += [at, row_id]
    where = " and ".join(question.where) or "true"
    sql = f"select * from {question.table} where {where} order by {by}, id limit {limit + 1}"
    rows = tables.rows(sql, question.values)
    if len(rows) <= limit:
        return rows, {}
    last = rows[limit - 1]
    return rows[:limit], {"cursor": _encoded(str(last[by]), last["id"])}


def _encoded(*parts: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def _decoded(asked: Asked) -> list[str]:
    try:
        return list(json.loads(base64.urlsafe_b64decode(asked["cursor"])))
    except (binascii.Error, ValueError):
        raise RefusalError(
            400, "INVALID_REQUEST_ERROR", "INVALID_CURSOR", "The cursor is invalid."
        ) from None


def _limit(asked: Asked, default: int, most: int) -> int:
    limit = int(asked.get("limit", default))
    if not 1 <= limit <= most:
        code = "VALUE_TOO_HIGH" if limit > most else "VALUE_TOO_LOW"
        raise RefusalError(400, "INVALID_REQUEST_ERROR", code, "limit is out of range.")
    return limit


def _invalid(detail: str) -> RefusalError:
    return RefusalError(400, "INVALID_REQUEST_ERROR", "BAD_REQUEST", detail)


def _answer(
    tables: WorldTables,
    token: str,
    operation: Callable[[WorldTables, Asked], Answer],
    request: Request,
    body: bytes,
) -> Response:
    status = 200
    try:
        _check_token(request, token)
        asked = json.loads(body) if request.method == "POST" else dict(request.query_params)
        if not isinstance(asked, dict):
            raise _invalid("The request body is not an object.")
        answer = operation(tables, asked)
    except RefusalError as refusal:
        status, answer = refusal.status, refusal.body
    headers = {
        "Date": format_datetime(tables.now, usegmt=True),
        "Square-Version": request.headers.get("square-version", VERSION),
    }
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, headers, "application/json")


def _check_token(request: Request, token: str) -> None:
    given = request.headers.get("authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {token}".encode()):
        words = "This request could not be authorized."
        raise RefusalError(401, "AUTHENTICATION_ERROR", "UNAUTHORIZED", words)


async def _no_route(_request: Request, _error: Exception) -> Response:
    body = RefusalError(404, "INVALID_REQUEST_ERROR", "NOT_FOUND", "Resource not found.").body
    return Response(json.dumps(body), 404, media_type="application/json")
