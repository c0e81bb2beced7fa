"""A Shopify shop on the loopback: the vendor's own schema, executed over a few dicts.

It pages, throttles by query cost, runs bulk operations that take some polls, and fails on demand.
"""

import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from graphql import GraphQLError, GraphQLSchema, get_named_type, graphql_sync

TOKEN = "shop-token"
PATH = "/admin/api/2026-07/graphql.json"
FIRST = datetime(2026, 1, 1, 3, tzinfo=UTC)
Answer = tuple[int, dict[str, str], bytes]


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def money(amount: str) -> dict[str, Any]:
    both = {"amount": amount, "currencyCode": "VND"}
    return {"shopMoney": both, "presentmentMoney": both}


def gid(kind: str, number: int) -> str:
    return f"gid://shopify/{kind}/{number}"


@dataclass
class Shop:
    """What the shop has, what it did, and how it shall fail next."""

    schema: GraphQLSchema
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    customers: dict[str, dict[str, Any]] = field(default_factory=dict)
    products: dict[str, dict[str, Any]] = field(default_factory=dict)
    locations: dict[str, dict[str, Any]] = field(default_factory=dict)
    operations: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    polls: int = 1  # a bulk operation needs so many
    outcomes: list[str] = field(default_factory=list)  # of the next bulk operations
    failures: list[Callable[[], Answer | None]] = field(default_factory=list)  # of next requests
    most_cost: float = 4000.0
    budget: float = 4000.0
    denied: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)  # root fields of answered queries
    url: str = ""
    spoil: Callable[[bytes], bytes] = bytes  # what happens to the next bulk files
    on_page: Callable[[], None] | None = None  # called after each page

    def customer(self, number: int, moment: datetime, **changed: Any) -> None:
        self.customers[gid("Customer", number)] = {
            "id": gid("Customer", number), "firstName": "Lan", "lastName": "Nguyễn Thị",
            "state": "ENABLED", "locale": "vi", "tags": ["vip"], "createdAt": iso(FIRST),
            "updatedAt": iso(moment),
            "defaultEmailAddress": {
                "emailAddress": f"c{number}@hoa.example", "marketingState": "SUBSCRIBED",
                "marketingOptInLevel": "SINGLE_OPT_IN", "marketingUpdatedAt": iso(FIRST),
            },
            "defaultPhoneNumber": {"phoneNumber": f"+8491200{number:04d}"},
            "smsMarketingConsent": {
                "marketingState": "NOT_SUBSCRIBED", "marketingOptInLevel": "UNKNOWN",
                "consentUpdatedAt": None,
            },
            "defaultAddress": {
                "countryCodeV2": "VN", "province": "Hà Nội", "city": "Hà Nội", "address1": "1/2",
            },
        } | changed  # fmt: skip

    def product(self, number: int, moment: datetime, variants: int = 2) -> None:
        about = {
            "id": gid("Product", number), "title": f"Áo {number}", "productType": "Áo",
            "vendor": "Hoa", "status": "ACTIVE", "tags": [], "updatedAt": iso(moment),
        }  # fmt: skip
        self.products[about["id"]] = about | {
            "variants": [
                {
                    "id": gid("ProductVariant", number * 100 + one), "title": f"Size {one}",
                    "sku": f"A{number}-{one}", "barcode": None, "price": "150000.00",
                    "updatedAt": iso(moment), "product": about,
                }
                for one in range(variants)
            ]
        }  # fmt: skip

    def location(self, number: int, moment: datetime) -> None:
        self.locations[gid("Location", number)] = {
            "id": gid("Location", number), "name": f"Cửa hàng {number}", "isActive": True,
            "createdAt": iso(FIRST), "updatedAt": iso(moment),
            "address": {"province": "Hà Nội", "city": "Hà Nội", "countryCode": "VN"},
        }  # fmt: skip

    def order(
        self, number: int, moment: datetime, *, lines: int = 2, at_till: bool = False,
        refund: str | None = None, **changed: Any,
    ) -> None:  # fmt: skip
        """An order of `lines` articles at 150,000 less 15,000 each, paid at once."""
        total = f"{lines * 135_000}.00"
        pay = {
            "id": gid("OrderTransaction", number), "kind": "SALE", "status": "SUCCESS",
            "test": False, "gateway": "cash" if at_till else "bank_transfer",
            "createdAt": iso(moment), "processedAt": iso(moment), "amountSet": money(total),
        }  # fmt: skip
        failed = pay | {"id": gid("OrderTransaction", 10**6 + number), "status": "FAILURE"}
        back = {
            "id": gid("Refund", number), "createdAt": iso(moment), "processedAt": iso(moment),
            "totalRefundedSet": money(refund or "0.00"),
        }  # fmt: skip
        address = {"name": "Lan Nguyễn Thị", "countryCodeV2": "VN", "province": "Hà Nội"}
        customer = gid("Customer", number % 5 + 1)
        self.orders[gid("Order", number)] = {
            "id": gid("Order", number), "name": f"#{number}", "createdAt": iso(moment),
            "updatedAt": iso(moment), "processedAt": iso(moment), "cancelledAt": None,
            "test": False, "sourceName": "pos" if at_till else "web", "currencyCode": "VND",
            "email": None, "phone": None, "displayFinancialStatus": "PAID",
            "displayFulfillmentStatus": "FULFILLED", "cartToken": f"cart{number}",
            "discountCodes": ["TET"], "tags": [], "customer": {"id": customer},
            "retailLocation": {"id": gid("Location", 1)} if at_till else None,
            "shippingAddress": None if at_till else address, "billingAddress": address,
            "totalPriceSet": money(total), "totalRefundedSet": money(refund or "0.00"),
            "transactions": [pay, failed], "refunds": [back] if refund else [],
            "lineItems": [
                {
                    "id": gid("LineItem", number * 100 + one), "title": 'Áo "mới" / đỏ',
                    "variantTitle": "M", "sku": f"A1-{one}", "vendor": "Hoa", "quantity": 1,
                    "currentQuantity": 1, "isGiftCard": False, "product": {"id": gid("Product", 1)},
                    "variant": {"id": gid("ProductVariant", 100 + one)},
                    "originalUnitPriceSet": money("150000.00"),
                    "discountAllocations": [
                        {"allocatedAmountSet": money("10000.00")},
                        {"allocatedAmountSet": money("5000.00")},
                    ],
                }
                for one in range(lines)
            ],
        } | changed  # fmt: skip

    def restore(self, seconds: float) -> None:
        """Time passes: what the connector's `pause` is in tests."""
        self.budget = min(self.most_cost, self.budget + seconds * 100)

    # One request --------------------------------------------------------------------------

    def answer(self, payload: dict[str, Any]) -> dict[str, Any]:
        variables = payload.get("variables") or {}
        cost = float(variables.get("first", 1) * (4 + variables.get("children", 0) * 2))
        if cost > self.most_cost / 2:
            return {"errors": [_error("MAX_COST_EXCEEDED")]}
        status = {"maximumAvailable": self.most_cost, "restoreRate": 100.0}
        costs = {"requestedQueryCost": cost, "actualQueryCost": cost}
        if cost > self.budget:
            status["currentlyAvailable"] = self.budget
            cut = {"cost": costs | {"actualQueryCost": None, "throttleStatus": status}}
            return {"errors": [_error("THROTTLED")], "extensions": cut}
        self.budget -= cost
        status["currentlyAvailable"] = self.budget
        done = self._execute(payload["query"], variables)
        return done | {"extensions": {"cost": costs | {"throttleStatus": status}}}

    def _execute(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        result = graphql_sync(
            self.schema, query, variable_values=variables, field_resolver=self._resolve
        )
        found: dict[str, Any] = {"data": result.data}
        if result.errors:
            found["errors"] = [error.formatted for error in result.errors]
        return found

    def _resolve(self, source: Any, info: Any, **arguments: Any) -> Any:
        name = info.field_name
        if info.parent_type.name in ("QueryRoot", "Mutation"):
            self.asked.append(name)
            if name in self.denied:
                raise GraphQLError("Access denied", extensions={"code": "ACCESS_DENIED"})
            return self._root(name, arguments)
        value = source[name]
        if get_named_type(info.return_type).name.endswith("Connection"):
            if isinstance(value, dict):
                return value
            return _connection(value, arguments, lambda one: one["id"])
        return value

    def _root(self, name: str, arguments: dict[str, Any]) -> Any:
        if name in ("orders", "customers", "products", "locations"):
            found = [o for o in getattr(self, name).values() if _fits(o, arguments, name)]
            key = _by_id if arguments.get("sortKey", "ID") == "ID" else _by_update
            page = _connection(sorted(found, key=key), arguments, key)
            if self.on_page and arguments.get("first"):
                self.on_page()
            return page
        if name == "bulkOperations":
            return _connection(self.operations[::-1], arguments, _by_id)
        if name == "bulkOperation":
            found = next(o for o in self.operations if o["id"] == arguments["id"])
            self._work(found)
            return dict(found)
        if name == "bulkOperationRunQuery":
            return self._run(arguments["query"])
        assert name == "shop", name
        return {"name": "Hoa", "currencyCode": "VND", "ianaTimezone": "Asia/Ho_Chi_Minh"}

    # Bulk operations ----------------------------------------------------------------------

    def _run(self, query: str) -> dict[str, Any]:
        running = [o for o in self.operations if o["status"] in ("CREATED", "RUNNING")]
        for operation in running:  # another app's operation goes on while we ask
            self._work(operation)
        if running:
            error = {"code": "OPERATION_IN_PROGRESS", "field": None, "message": "in progress"}
            return {"bulkOperation": None, "userErrors": [error]}
        return {"bulkOperation": dict(self.begin(query)), "userErrors": []}

    def begin(self, query: str) -> dict[str, Any]:
        """Start an operation, as any app of the shop may."""
        number = len(self.operations) + 1
        self.operations.append({
            "id": gid("BulkOperation", number), "status": "CREATED", "errorCode": None,
            "createdAt": iso(datetime.now(UTC)), "objectCount": "0", "rootObjectCount": "0",
            "fileSize": None, "url": None, "partialDataUrl": None, "query": query, "polls": 0,
        })  # fmt: skip
        return self.operations[-1]

    def _work(self, operation: dict[str, Any]) -> None:
        if operation["status"] not in ("CREATED", "RUNNING"):
            return
        operation["status"] = "RUNNING"
        operation["polls"] += 1
        if operation["polls"] < self.polls:
            return
        outcome = self.outcomes.pop(0) if self.outcomes else "COMPLETED"
        status, _, code = outcome.partition(":")
        result = self._execute(operation["query"], {})
        assert "errors" not in result, result
        lines = list(_lines(result["data"]))
        body = "".join(f"{json.dumps(one).replace('/', chr(92) + '/')}\n" for one in lines).encode()
        roots = sum("__parentId" not in one for one in lines)
        operation |= {
            "status": status, "errorCode": code or None, "objectCount": str(len(lines)),
            "rootObjectCount": str(roots), "fileSize": str(len(body)) if body else None,
        }  # fmt: skip
        if body and status == "COMPLETED":
            name = f"/files/{len(self.operations)}-{operation['polls']}.jsonl"
            self.files[name] = self.spoil(body)
            operation["fileSize"] = str(len(self.files[name]))
            operation["url"] = self.url + name


def _lines(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A bulk operation's lines: every node of every connection, children after their parent."""
    (connection,) = data.values()
    for edge in connection["edges"]:
        node = dict(edge["node"])
        inside = {k: v for k, v in node.items() if isinstance(v, dict) and "edges" in v}
        yield {k: v for k, v in node.items() if k not in inside}
        for found in inside.values():
            for child in found["edges"]:
                yield {**child["node"], "__parentId": node["id"]}


def _fits(one: dict[str, Any], arguments: dict[str, Any], name: str) -> bool:
    query = arguments.get("query") or ""
    if "test:false" in query and one["test"]:
        return False
    if (key := re.search(r"\bid:([0-9]+)", query)) and one["id"].rpartition("/")[2] != key[1]:
        return False
    made = one.get("createdAt") or one["updatedAt"]
    if (day := re.search(r"created_at:>='([^']+)'", query)) and made < day[1]:
        return False
    if (day := re.search(r"created_at:<'([^']+)'", query)) and made >= day[1]:
        return False
    since = re.search(r"updated_at:>='([^']+)'", query)
    assert not since or (len(since[1]) == 10) == (name == "customers")
    return not since or one["updatedAt"][: len(since[1])] >= since[1]


def _by_id(one: dict[str, Any]) -> str:
    return f"{int(one['id'].rpartition('/')[2]):012d}"


def _by_update(one: dict[str, Any]) -> str:
    return f"{one['updatedAt']}|{_by_id(one)}"


def _connection(
    found: list[Any], arguments: dict[str, Any], key: Callable[[Any], str]
) -> dict[str, Any]:
    after, first = arguments.get("after"), arguments.get("first")
    rest = [one for one in found if after is None or key(one) > after]
    page = rest[:first] if first else rest
    end = key(page[-1]) if page else None
    return {
        "nodes": page,
        "edges": [{"node": one, "cursor": key(one)} for one in page],
        "pageInfo": {"hasNextPage": len(rest) > len(page), "endCursor": end},
    }


def _error(code: str) -> dict[str, Any]:
    return {"message": code.lower(), "extensions": {"code": code}}


@contextmanager
def serve(shop: Shop) -> Iterator[Shop]:
    """The shop behind an address of this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            planned = shop.failures.pop(0)() if shop.failures else None
            if planned:
                self._send(*planned)
            elif self.path != PATH:
                self._send(404, {}, b"")
            elif self.headers.get("X-Shopify-Access-Token") != TOKEN:
                self._send(401, {}, b'{"errors":"[API] Invalid API key or access token"}')
            else:
                self._send(200, {}, json.dumps(shop.answer(payload)).encode())

        def do_GET(self) -> None:
            assert "X-Shopify-Access-Token" not in self.headers, "the token leaves the shop"
            body = shop.files.get(self.path)
            self._send(200 if body else 404, {}, body or b"")

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    shop.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()


def filled(schema: GraphQLSchema, orders: int = 30) -> Shop:
    """A shop with five customers, two products, one location and a day of orders."""
    shop = Shop(schema)
    shop.location(1, FIRST)
    for number in (1, 2):
        shop.product(number, FIRST)
    for number in range(1, 6):
        shop.customer(number, FIRST)
    for number in range(1, orders + 1):
        at_till = number % 3 == 0
        shop.order(number, FIRST + timedelta(minutes=30 * number), at_till=at_till)
    return shop
