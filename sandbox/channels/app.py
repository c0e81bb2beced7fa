"""The platforms' HTTP face: routes, journal, limits, and faults on demand.

Kinds of faults, by `sandbox.channels.store.inject`; any other kind is left to the operation:
`refuse` (status, headers, body): that answer, nothing is done. `refuse_after`: done, and then that
answer. `drop`: the connection ends without a word, nothing is done. `drop_after`: done, then the
connection ends. `stall_after` (seconds): done, then silence, then the connection ends.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from sandbox.channels import store
from sandbox.channels.registry import VENDORS
from sandbox.channels.store import Fault
from sandbox.channels.vendor import Answer, Exchange, Operation, RefusalError, Vendor
from sandbox.platform_state import simulated_now, transaction


class OpenProtocol(H11Protocol):
    """Shows the application its connection, so that it can be cut."""

    def connection_made(self, transport: Any) -> None:
        """Put the transport where the application finds it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class Limits:
    """Counts a platform's requests, in flight and in the last second."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        self._recent: deque[float] = deque()
        self._in_flight = 0

    def enter(self) -> bool:
        """Whether one more is allowed; it counts in flight either way, until `leave`."""
        now = time.monotonic()
        while self._recent and self._recent[0] <= now - 1:
            self._recent.popleft()
        self._recent.append(now)
        self._in_flight += 1
        return (
            self._in_flight <= self._vendor.at_once and len(self._recent) <= self._vendor.per_second
        )

    def leave(self) -> None:
        """A request is over."""
        self._in_flight -= 1


def create_app(root: Path, keys: Mapping[str, str]) -> ASGIApp:
    """All platforms over the state under `root`, with the sandbox's secrets."""
    store.prepare(root)
    mounts = [Mount(f"/{one.name}", routes=_Platform(root, keys, one).routes()) for one in VENDORS]
    return Starlette(routes=[Route("/ping", lambda _request: JSONResponse({})), *mounts])


class _Platform:
    """One vendor at work."""

    def __init__(self, root: Path, keys: Mapping[str, str], vendor: Vendor) -> None:
        self._root, self._keys, self._vendor = root, keys, vendor
        self._limits = Limits(vendor)

    def routes(self) -> list[Route]:
        """A route for each operation."""
        return [
            Route(path, self._endpoint(operation), methods=[method])
            for (method, path), operation in self._vendor.operations.items()
        ]

    def _endpoint(self, operation: Operation) -> Any:
        async def answer(request: Request) -> Response:
            body = await request.body()
            is_allowed = self._limits.enter()
            try:
                chosen = operation if is_allowed else self._too_many
                return await _sent(
                    request, *await run_in_threadpool(self._serve, chosen, request, body)
                )
            finally:
                self._limits.leave()

        return answer

    def _too_many(self, _exchange: Exchange) -> Answer:
        return self._vendor.too_many()

    def _serve(
        self, operation: Operation, request: Request, body: bytes
    ) -> tuple[Answer | None, Fault | None]:
        """The answer, None to cut the connection; and the fault that this request met."""
        name, request_id = self._vendor.name, uuid4().hex
        connection = store.connect(self._root)
        try:
            fault = store.take_fault(connection, name, request.method)
            exchange = Exchange(
                connection, name, request_id, self._keys, request.path_params,
                request.query_params, request.headers, body, simulated_now(self._root),
                (self._root / "clock.json").exists(), fault,
            )  # fmt: skip
            answer = _faulty(exchange, operation, fault)
            connection.execute(
                "insert into requests (at, request_id, vendor, method, path, status, fault)"
                " values (?, ?, ?, ?, ?, ?, ?)",
                (datetime.now(UTC).isoformat(), request_id, name, request.method, request.url.path,
                 answer.status if answer else None, fault.kind if fault else None),
            )  # fmt: skip
            return answer, fault
        finally:
            connection.close()


def _faulty(exchange: Exchange, operation: Operation, fault: Fault | None) -> Answer | None:
    kind = fault.kind if fault else ""
    told = _told(fault) if fault else None
    if kind in ("drop", "refuse"):
        return told if kind == "refuse" else None
    try:
        with transaction(exchange.connection):
            answer = operation(exchange)
    except RefusalError as refusal:
        answer = refusal.answer
    if kind == "refuse_after":
        return told
    return None if kind in ("drop_after", "stall_after") else answer


def _told(fault: Fault) -> Answer:
    detail = fault.detail
    return Answer(detail.get("status", 500), detail.get("body", {}), detail.get("headers", {}))


async def _sent(request: Request, answer: Answer | None, fault: Fault | None) -> Response:
    if fault and fault.kind == "stall_after":
        await asyncio.sleep(fault.detail["seconds"])
    if answer is None:
        request.scope["state"]["transport"].abort()
        await request.receive()  # until the connection is gone, so that nothing is answered
        return Response()
    text = "" if answer.body is None else json.dumps(answer.body, ensure_ascii=False)
    return Response(text, answer.status, dict(answer.headers), "application/json")
