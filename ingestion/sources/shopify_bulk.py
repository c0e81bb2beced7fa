"""Bulk operations: the vendor runs a query over everything and answers with a file of JSON lines.

An operation outlives our process: one of the same query that still runs, or that ended within a
day, is taken up again, so that a killed run costs nothing. Another app's or query's operation is
waited for, never cancelled. An operation that fails is run again; its partial file is not landed,
because nothing in it says what is missing.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ingestion.sources import shopify_api
from ingestion.sources.shopify_api import SCOPES, GoneError, ShopApi
from ingestion.sources.shopify_queries import BULK_RECENT, BULK_RUN, BULK_STATE
from khach.errors import BusyError, ConfigError, KhachError

if TYPE_CHECKING:
    from pathlib import Path

    from khach.progress import Reporter

POLL_SECONDS = (1.0, 2.0, 5.0, 10.0)
PATIENCE_SECONDS = 6 * 3600.0
RUNS = 3
FRESH = timedelta(days=1)
_RUNNING = ("CREATED", "RUNNING", "CANCELING")


@dataclass(frozen=True)
class BulkFile:
    """A finished operation: its number, when it began, the nodes at its root; None: no nodes."""

    number: str
    created_at: datetime
    root_nodes: int
    path: Path | None


class BulkOperations:
    """The bulk operations of one shop, one at a time."""

    def __init__(self, source: str, api: ShopApi, progress: Reporter) -> None:
        self._source = source
        self._api = api
        self._progress = progress
        self._waited = 0.0

    def run(self, query: str, path: Path, *, landed: frozenset[str] | None) -> BulkFile:
        """Run a query to its end and download its file to `path`.

        `landed`: the numbers of operations that loads have taken in; a file of the last day that is
        none of them will do, unless it is None. Raises ConfigError (a scope is missing), BusyError
        (it fails again and again, or does not end), KhachError (refused).
        """
        operation = self._recent(query, landed)
        ended = ""
        for _ in range(RUNS):
            operation = self._wait(operation or self._start(query))
            ended = operation["errorCode"] or operation["status"]
            if operation["status"] == "COMPLETED":
                with suppress(GoneError):
                    return self._fetch(operation, path)
                ended = "EXPIRED"
            self._raise_when_hopeless(operation)
            operation = None
        raise BusyError(
            f"source {self._source}: a bulk operation ended {RUNS} times as {ended}",
            fix="run again later; nothing of it was landed",
        )

    def _recent(self, query: str, landed: frozenset[str] | None) -> dict[str, Any] | None:
        """An operation of this very query that an earlier run began."""
        for operation in self._api.data(BULK_RECENT)["bulkOperations"]["nodes"]:
            is_same = operation["query"].split() == query.split()
            is_young = datetime.now(UTC) - _time(operation["createdAt"]) < FRESH
            is_usable = operation["status"] in _RUNNING or (
                operation["status"] == "COMPLETED"
                and landed is not None
                and _number(operation) not in landed
            )
            if is_same and is_young and is_usable:
                return dict(operation)
        return None

    def _start(self, query: str) -> dict[str, Any]:
        while True:
            answer = self._api.data(BULK_RUN, {"query": query})["bulkOperationRunQuery"]
            if answer["bulkOperation"] and not answer["userErrors"]:
                return dict(answer["bulkOperation"])
            codes = {error["code"] for error in answer["userErrors"]}
            if not codes or not codes <= {"OPERATION_IN_PROGRESS", "LIMIT_REACHED"}:
                raise KhachError(
                    f"source {self._source}: a bulk operation is refused "
                    f"({', '.join(sorted(map(str, codes)))})",
                    fix=f"the app needs the scopes {SCOPES}",
                )
            self._pause("another bulk operation of this shop does not end")

    def _wait(self, operation: dict[str, Any]) -> dict[str, Any]:
        done = 0
        while operation["status"] in _RUNNING:
            self._pause("a bulk operation does not end; the next run takes it up")
            operation = self._api.data(BULK_STATE, {"id": operation["id"]})["bulkOperation"]
            if operation is None:
                raise BusyError(
                    f"source {self._source}: a bulk operation vanished", fix="run again"
                )
            self._progress.advance(int(operation["objectCount"]) - done)
            done = int(operation["objectCount"])
        self._waited = 0.0
        return operation

    def _raise_when_hopeless(self, operation: dict[str, Any]) -> None:
        if operation["errorCode"] == "ACCESS_DENIED":
            raise ConfigError(
                f"source {self._source}: the app may not read what a bulk operation asks for",
                fix=f"give the app the scopes {SCOPES}, and the access to protected customer data",
            )
        if operation["status"] == "CANCELED":
            raise BusyError(
                f"source {self._source}: somebody cancelled the bulk operation", fix="run again"
            )

    def _fetch(self, operation: dict[str, Any], path: Path) -> BulkFile:
        number = _number(operation)
        nodes = int(operation["rootObjectCount"])
        started = _time(operation["createdAt"])
        if not operation["url"]:
            return BulkFile(number, started, nodes, None)
        self._api.download(operation["url"], path)
        if path.stat().st_size < int(operation["fileSize"] or 0):
            raise BusyError(
                f"source {self._source}: the file of a bulk operation came incomplete",
                fix="run again; nothing of it was landed",
            )
        return BulkFile(number, started, nodes, path)

    def _pause(self, complaint: str) -> None:
        if self._waited >= PATIENCE_SECONDS:
            raise BusyError(f"source {self._source}: {complaint}", fix="run again later")
        step = next((s for s in POLL_SECONDS if self._waited < s * 10), POLL_SECONDS[-1])
        shopify_api.pause(step)
        self._waited += step


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _number(operation: dict[str, Any]) -> str:
    return str(operation["id"]).rpartition("/")[2]
