"""One JSON client for platforms: polite retries with an end, no personal data in its errors."""

import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from khach.errors import BusyError

_RETRIED = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Retries:
    """How long to insist: attempts, first pause, longest pause, seconds for one answer."""

    attempts: int = 6
    first_pause: float = 0.5
    longest_pause: float = 30.0
    timeout: float = 30.0


class JsonClient:
    """Requests with HTTP Basic authentication, safe to use from several threads.

    After one request found no answer to the end of its retries, the others fail at once: a dead
    platform must not cost every row its own patience.
    """

    def __init__(self, base_url: str, api_key: str, retries: Retries | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._retries = retries or Retries()
        self._local = threading.local()
        self._is_down = threading.Event()

    def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON object of the answer ({} when it has none).

        Raises BusyError when the platform gives no final answer (network, 429, 5xx).
        """
        for attempt in range(self._retries.attempts):
            if self._is_down.is_set():
                break
            wait = None
            try:
                answer = self._session().request(
                    method, self._base_url + path, json=body, timeout=self._retries.timeout
                )
            except requests.RequestException:
                pass  # the address stands in the exception's text; the retry is all that is needed
            else:
                if answer.status_code not in _RETRIED:
                    return answer.status_code, _json(answer)
                wait = _retry_after(answer.headers.get("Retry-After"))
            if attempt + 1 < self._retries.attempts:
                self._pause(attempt, wait)
        self._is_down.set()
        raise BusyError(
            "the platform does not answer",
            fix="try again later; rows without an answer are settled first by the next run",
        )

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            session = requests.Session()
            # Proxies and .netrc of the machine must not redirect or re-authenticate a call.
            session.trust_env = False
            session.auth = ("khach", self._api_key)
            self._local.session = session
        return self._local.session

    def _pause(self, attempt: int, wait: float | None) -> None:
        if wait is None:
            wait = self._retries.first_pause * 2**attempt * random.uniform(0.5, 1.0)  # noqa: S311
        time.sleep(min(wait, self._retries.longest_pause))


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except requests.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _retry_after(header: str | None) -> float | None:
    """Seconds to wait by `Retry-After`: a number or an HTTP date."""
    if not header:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
