"""Shopify's Admin GraphQL API: one endpoint, a budget of query cost, errors inside a 200 answer.

Retries of HTTP (429 with or without Retry-After, 5xx, time-outs) are dlt's; what the body says is
handled here. A message never holds data, only the vendor's code and the field's path.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ingestion import rest
from khach.errors import BusyError, ConfigError, KhachError
from khach.redact import redact

if TYPE_CHECKING:
    from pathlib import Path

    from requests import Response

SCOPES = "read_orders, read_all_orders, read_customers, read_products and read_locations"
# How often a query is sent again when the budget is spent or the vendor fails inside.
ATTEMPTS = 10
_LONGEST_PAUSE = 30.0
_CHUNK = 1 << 20
pause = time.sleep


class TooExpensiveError(Exception):
    """One query asks for more than the vendor ever grants: ask for fewer nodes."""


class GoneError(Exception):
    """The file of a bulk operation is no longer there."""


class ShopApi:
    """One shop's Admin API. `key_variable` is the NAME of the variable that holds the token."""

    def __init__(self, source: str, url: str, key_variable: str, token: str) -> None:
        self._source = source
        self._url = url
        self._key_variable = key_variable
        self._session = rest.open_session(url)
        self._headers = {"X-Shopify-Access-Token": token}

    def query(self, document: str, variables: Mapping[str, Any] | None = None) -> bytes:
        """The answer's body, without errors.

        Raises TooExpensiveError (ask for less), ConfigError (token or scope), BusyError (no
        answer, or a budget that stays spent), KhachError (a query that the vendor refuses).
        """
        payload = {"query": document, "variables": dict(variables or {})}
        for attempt in range(ATTEMPTS):
            body, answer = self._post(payload)
            codes = _codes(answer)
            if not codes:
                self._wait_for_budget(answer)
                return body
            if "MAX_COST_EXCEEDED" in codes:
                raise TooExpensiveError
            if not codes <= {"THROTTLED", "INTERNAL_SERVER_ERROR", "TIMEOUT"}:
                raise self._refusal(document, answer, codes)
            if attempt + 1 < ATTEMPTS:
                pause(_restored_in(answer) or rest.BACKOFF_SECONDS * 2 ** min(attempt, 5))
        raise BusyError(
            f"source {self._source}: the API is busy ({', '.join(sorted(codes))})",
            fix="run again later",
        )

    def data(self, document: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer's data, where it is a few values."""
        found: dict[str, Any] = json.loads(self.query(document, variables))["data"]
        return found

    def download(self, url: str, path: Path) -> None:
        """A bulk operation's file; its address is signed, so the token is not shown to it.

        Raises GoneError when the address has expired, BusyError when the file does not come whole.
        """
        from requests import RequestException

        try:
            with rest.open_session(url).get(url, stream=True) as response:
                if response.status_code in (403, 404, 410):
                    raise GoneError
                if response.status_code != 200:
                    raise self._busy(f"the file of a bulk operation: {response.status_code}")
                with path.open("wb") as out:
                    for chunk in response.iter_content(_CHUNK):
                        out.write(chunk)
        except RequestException as problem:
            raise self._busy(type(problem).__name__) from None

    def _post(self, payload: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
        from requests import RequestException

        try:
            response = self._session.post(self._url, json=payload, headers=self._headers)
        except RequestException as problem:
            raise self._busy(f"no answer ({type(problem).__name__})") from None
        self._require_success(response)
        try:
            answer = json.loads(response.content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not (answer.get("errors") or answer.get("data")):
            raise self._busy("an answer that is cut off or no GraphQL")
        return response.content, answer

    def _require_success(self, response: Response) -> None:
        status = response.status_code
        if status in (401, 403):
            raise ConfigError(
                f"source {self._source}: the access token in {self._key_variable} is refused "
                f"({status})",
                fix=f"export {self._key_variable}=... with a token of an app that has {SCOPES}",
            )
        if status == 404:
            raise ConfigError(
                f"source {self._source}: there is no shop, or no such API version, at its address",
                fix="check the shop's address; versions are named like 2026-07",
            )
        if status == 429 or status >= 500:
            raise self._busy(f"the API is busy ({status})")
        if status != 200:
            raise KhachError(f"source {self._source}: the API answers {status}")

    def _refusal(self, document: str, answer: Mapping[str, Any], codes: set[str]) -> KhachError:
        if "ACCESS_DENIED" in codes:
            named = dict(re.findall(r"(\w+): (\w+)\(", document))  # what an alias stands for
            fields = sorted({_path(error, named) for error in _errors(answer)} - {""})
            return ConfigError(
                f"source {self._source}: the app may not read {', '.join(fields) or 'this'}",
                fix=f"give the app the scopes {SCOPES}, and the access to protected customer data",
            )
        first = redact(str(next(iter(_errors(answer)), {}).get("message", "")))[:200]
        return KhachError(
            f"source {self._source}: the API refuses a query ({', '.join(sorted(codes))}): {first}"
        )

    def _busy(self, why: str) -> BusyError:
        return BusyError(
            f"source {self._source}: {why}",
            fix="check the address and the network, then run again; nothing was landed",
        )

    def _wait_for_budget(self, answer: Mapping[str, Any]) -> None:
        """Before the next query like this one is sent, not after it was refused."""
        if wait := _restored_in(answer):
            pause(wait)


def _errors(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = answer.get("errors") or []
    if isinstance(found, str):
        return [{"message": found}]
    return [error if isinstance(error, dict) else {"message": str(error)} for error in found]


def _codes(answer: Mapping[str, Any]) -> set[str]:
    """The codes of an answer's errors; an error without one is a query that does not fit."""
    return {
        str((error.get("extensions") or {}).get("code") or "REFUSED") for error in _errors(answer)
    }


def _path(error: Mapping[str, Any], named: Mapping[str, str]) -> str:
    parts = [str(part) for part in error.get("path") or [] if not isinstance(part, int)]
    return ".".join(named.get(part, part) for part in parts)


def _restored_in(answer: Mapping[str, Any]) -> float:
    """Seconds until the budget allows the same query again; 0 when it does now."""
    cost = (answer.get("extensions") or {}).get("cost") or {}
    throttle = cost.get("throttleStatus") or {}
    rate = float(throttle.get("restoreRate") or 0)
    missing = float(cost.get("requestedQueryCost") or 0) - float(
        throttle.get("currentlyAvailable") or 0
    )
    return min(missing / rate, _LONGEST_PAUSE) if rate > 0 and missing > 0 else 0.0
