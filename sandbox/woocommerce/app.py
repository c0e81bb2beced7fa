"""The shop's HTTP face: routes, key, paging headers, refusals in WordPress' words."""

from __future__ import annotations

import base64
import binascii
import hmac
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.woocommerce import documents
from sandbox.woocommerce.process import BASE
from sandbox.woocommerce.shop import Shop, text

MAXIMUM_PER_PAGE = 100
COLLECTIONS = ("orders", "customers", "products")
OPERATIONS = {
    *(("GET", f"{BASE}/{name}") for name in COLLECTIONS),
    *((method, f"{BASE}/{name}/{{id}}") for name in COLLECTIONS for method in ("GET", "DELETE")),
    ("GET", f"{BASE}/orders/{{order_id}}/refunds"),
}


class RefusalError(Exception):
    """An error answer: status, code, message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status = status
        self.body = {"code": code, "message": message, "data": {"status": status}}


def create_app(root: Path, key: str, secret: str) -> ASGIApp:
    """The shop over the exports under `root`; `key` and `secret` are the one pair it accepts."""
    shop = Shop(root)

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(_answer, shop, f"{key}:{secret}", request)

    routes = [Route(path, endpoint, methods=[method]) for method, path in sorted(OPERATIONS)]
    return Starlette(routes=routes, exception_handlers={404: _no_route})


def _answer(shop: Shop, pair: str, request: Request) -> Response:
    headers = {"Date": format_datetime(shop.tables.now, usegmt=True)}
    try:
        _check_key(request, pair)
        body, more = _operate(shop, request)
    except RefusalError as refusal:
        body, more = refusal.body, {}
        return _json(body, refusal.status, headers)
    return _json(body, 200, headers | more)


def _operate(shop: Shop, request: Request) -> tuple[Any, dict[str, str]]:
    path = request.url.path.removeprefix(f"{BASE}/").split("/")
    query = dict(request.query_params)
    if len(path) == 1:
        return _page(shop, path[0], query, request)
    if path[-1] == "refunds":
        _one(shop, "orders", path[1])
        refunds = shop.of_orders("refunds", [int(path[1])])[int(path[1])]
        return [documents.refund(row) for row in refunds], _paging(request, len(refunds), 1, 100)
    row = _one(shop, path[0], path[1])
    if request.method == "DELETE":
        shop.delete(path[0], row["id"])
    return _documents(shop, path[0], [row])[0], {}


def _page(
    shop: Shop, table: str, query: dict[str, str], request: Request
) -> tuple[Any, dict[str, str]]:
    per_page = _integer(query, "per_page", 10, MAXIMUM_PER_PAGE)
    page = _integer(query, "page", 1, None)
    first = int(query["offset"]) if "offset" in query else (page - 1) * per_page
    total, rows = shop.page(table, query, first, per_page)
    found = _documents(shop, table, rows)
    if fields := query.get("_fields"):
        found = [{name: one[name] for name in fields.split(",") if name in one} for one in found]
    return found, _paging(request, total, page, per_page)


def _documents(shop: Shop, table: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if table == "customers":
        return [documents.customer(row) for row in rows]
    if table == "products":
        return [documents.product(row) for row in rows]
    ids = [row["id"] for row in rows]
    lines, refunds = shop.of_orders("lines", ids), shop.of_orders("refunds", ids)
    return [documents.order(row, lines[row["id"]], refunds[row["id"]]) for row in rows]


def _one(shop: Shop, table: str, row_id: str) -> dict[str, Any]:
    _, rows = shop.page(table, {"include": row_id}, 0, 1) if row_id.isdecimal() else (0, [])
    if not rows:
        raise RefusalError(404, f"woocommerce_rest_{table[:-1]}_invalid_id", "Invalid ID.")
    return rows[0]


def _paging(request: Request, total: int, page: int, per_page: int) -> dict[str, str]:
    pages = -(-total // per_page)
    links = []
    for name, other in (("prev", page - 1), ("next", page + 1)):
        if 1 <= other <= pages:
            asked = urlencode(dict(request.query_params) | {"page": other})
            links.append(f'<{request.url.replace(query=asked)}>; rel="{name}"')
    link = {"Link": ", ".join(links)} if links else {}
    return {"X-WP-Total": str(total), "X-WP-TotalPages": str(pages)} | link


def _integer(query: dict[str, str], name: str, default: int, most: int | None) -> int:
    value = query.get(name, str(default))
    if not value.isdecimal() or int(value) < 1 or (most and int(value) > most):
        raise RefusalError(400, "rest_invalid_param", f"Invalid parameter(s): {name}")
    return int(value)


def _check_key(request: Request, pair: str) -> None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(value) if scheme.lower() == "basic" else b""
    except binascii.Error:
        given = b""
    if not hmac.compare_digest(given, pair.encode()):
        raise RefusalError(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")


def _json(body: Any, status: int, headers: dict[str, str]) -> Response:
    return Response(text(body), status, headers, "application/json; charset=UTF-8")


async def _no_route(_request: Request, _error: Exception) -> Response:
    words = "No route was found matching the URL and request method."
    return _json(RefusalError(404, "rest_no_route", words).body, 404, {})
