"""The platform's HTTP face: routes, key, connection limit, request log.

Nothing here writes an address anywhere: the request log holds the path with the member's hash,
never a query string or a body.
"""

import base64
import binascii
import hmac
from pathlib import Path
from uuid import uuid4

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.mailchimp import lists, reports, shop, store
from sandbox.mailchimp.exchange import Exchange, Operation, normal_member
from sandbox.mailchimp.problems import ProblemError, not_found

# "a limit of 10 simultaneous connections": https://mailchimp.com/developer/marketing/docs/fundamentals/
SIMULTANEOUS = 10

_MEMBER = "/lists/{list_id}/members/{subscriber_hash}"
_OPERATIONS: dict[tuple[str, str], Operation] = {
    ("GET", "/ping"): lambda _: '{"health_status":"Everything\'s Chimpy!"}',
    ("GET", "/lists"): lists.get_lists,
    ("GET", "/lists/{list_id}"): lists.get_list,
    ("POST", "/lists/{list_id}"): lists.post_list,
    ("GET", "/lists/{list_id}/members"): lists.get_members,
    ("POST", "/lists/{list_id}/members"): lists.post_member,
    ("GET", _MEMBER): lists.get_member,
    ("PUT", _MEMBER): lists.put_member,
    ("PATCH", _MEMBER): lists.patch_member,
    ("DELETE", _MEMBER): lists.delete_member,
    ("POST", f"{_MEMBER}/actions/delete-permanent"): lists.delete_permanent,
    ("GET", f"{_MEMBER}/tags"): lists.get_member_tags,
    ("POST", f"{_MEMBER}/tags"): lists.post_member_tags,
    ("GET", f"{_MEMBER}/activity-feed"): reports.get_activity_feed,
    ("GET", "/lists/{list_id}/tag-search"): lists.search_tags,
    ("GET", "/lists/{list_id}/merge-fields"): lists.get_merge_fields,
    ("POST", "/lists/{list_id}/merge-fields"): lists.post_merge_field,
    ("GET", "/lists/{list_id}/segments"): lists.get_segments,
    ("POST", "/lists/{list_id}/segments"): lists.post_segment,
    ("POST", "/lists/{list_id}/segments/{segment_id}"): lists.post_segment_members,
    ("GET", "/lists/{list_id}/segments/{segment_id}/members"): lists.get_segment_members,
    ("GET", "/campaigns"): reports.get_campaigns,
    ("GET", "/campaigns/{campaign_id}"): reports.get_campaign,
    ("GET", "/reports"): reports.get_reports,
    ("GET", "/reports/{campaign_id}"): reports.get_report,
    ("GET", "/reports/{campaign_id}/sent-to"): reports.get_sent_to,
    ("GET", "/reports/{campaign_id}/email-activity"): reports.get_email_activity,
    ("GET", "/reports/{campaign_id}/email-activity/{subscriber_hash}"):
        reports.get_member_email_activity,
    ("GET", "/reports/{campaign_id}/open-details"): reports.get_open_details,
    ("GET", "/reports/{campaign_id}/click-details"): reports.get_click_details,
    ("GET", "/reports/{campaign_id}/click-details/{link_id}/members"): reports.get_click_members,
    ("GET", "/reports/{campaign_id}/unsubscribed"): reports.get_unsubscribed,
    ("GET", "/ecommerce/stores"): shop.get_stores,
    ("GET", "/ecommerce/orders"): shop.get_orders,
    ("GET", "/ecommerce/stores/{store_id}/orders"): shop.get_store_orders,
    ("GET", "/ecommerce/stores/{store_id}/customers"): shop.get_store_customers,
    ("GET", "/ecommerce/stores/{store_id}/carts"): shop.get_store_carts,
}  # fmt: skip


def create_app(root: Path, api_key: str) -> ASGIApp:
    """The platform over the state under `root`; `api_key` is the one key it accepts."""
    store.prepare(root)
    routes = [
        Route(path, _endpoint(root, api_key, operation), methods=[method])
        for (method, path), operation in _OPERATIONS.items()
    ]
    return ConnectionLimit(
        Starlette(
            routes=[Mount("/3.0", routes=routes)],
            exception_handlers={HTTPException: _no_such_path},
        )
    )


class ConnectionLimit:
    """Refuses the eleventh request in flight: 429, and no Retry-After, as the vendor does."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.in_flight >= SIMULTANEOUS:
            words = f"You have exceeded the limit of {SIMULTANEOUS} simultaneous connections."
            refusal = ProblemError(429, "Too Many Requests", words).response()
            await refusal(scope, receive, send)
            return
        self.in_flight += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.in_flight -= 1


def _endpoint(root: Path, api_key: str, operation: Operation):  # type: ignore[no-untyped-def]
    async def endpoint(request: Request) -> Response:
        body = await request.body()
        return await run_in_threadpool(_answer, root, api_key, operation, request, body)

    return endpoint


def _answer(
    root: Path, api_key: str, operation: Operation, request: Request, body: bytes
) -> Response:
    request_id = str(uuid4())
    connection = store.connect(root)
    try:
        try:
            _check_key(request, api_key)
            exchange = Exchange(
                root, connection, request_id, request.path_params, request.query_params, body
            )
            text = operation(exchange)
            response = (
                Response(status_code=204)
                if text is None
                else Response(text, media_type="application/json")
            )
        except ProblemError as problem:
            response = problem.response()
        response.headers["X-Request-Id"] = request_id
        connection.execute(
            "insert into requests (at, request_id, method, path, status) values (?, ?, ?, ?, ?)",
            (store.wall_now(), request_id, request.method, _path(request), response.status_code),
        )
        return response
    finally:
        connection.close()


def _check_key(request: Request, api_key: str) -> None:
    """Basic with any user name and the key as password, or the key as a bearer (contract)."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if not value:
        raise ProblemError(401, "API Key Missing", "Your request did not include an API key.")
    given = value
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(value).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            given = ""
    if not hmac.compare_digest(given.encode(), api_key.encode()):
        words = "Your API key may be invalid, or you've attempted to access the wrong datacenter."
        raise ProblemError(401, "API Key Invalid", words)


def _path(request: Request) -> str:
    """The path for the log: an address given in the place of the hash becomes the hash."""
    parts = request.url.path.split("/")
    return "/".join(normal_member(part) if "@" in part else part for part in parts)


async def _no_such_path(_request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == 405:
        words = "The requested method and resource are not compatible."
        return ProblemError(405, "Method Not Allowed", words).response()
    return not_found().response()
