"""One JSON client for platforms: polite retries with an end, no personal data in its errors."""

import random
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from urllib3.exceptions import NewConnectionError

from khach.errors import BusyError

_RETRIED = frozenset({429, 500, 502, 503, 504})
# What one request alone may cause; 429 and 503 speak of the platform.
_FAULTS = frozenset({500, 502, 504})
_MOST_FAULTS = 3


@dataclass(frozen=True)
class Retries:
    """How long to insist: attempts, first pause, longest pause, seconds for one answer.

    A platform that asks for a longer pause is left alone until the next run.
    """

    attempts: int = 6
    first_pause: float = 0.5
    longest_pause: float = 30.0
    timeout: float = 30.0


@dataclass(frozen=True)
class Answer:
    """A final answer: `body` is its JSON of whatever kind, None without; `headers` by any case."""

    status: int
    body: Any
    headers: Mapping[str, str]


class UncertainError(Exception):
    """A request that must not be repeated may, or may not, have taken effect."""


class FaultError(BusyError):
    """One request met a fault of the platform's own to the end of its retries; others may not."""


class JsonClient:
    """Requests that answer JSON, safe to use from several threads.

    `auth` is the pair of HTTP Basic authentication; `headers` go with every request. After one
    request found no answer to the end of its retries, or three in a row a fault, the others fail at
    once: a dead platform must not cost every row its own patience.
    """

    def __init__(
        self,
        base_url: str,
        *,
        auth: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        retries: Retries | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._auth = auth
        self._headers = dict(headers or {})
        self._retries = retries or Retries()
        self._local = threading.local()
        self._is_down = threading.Event()
        self._faults = 0

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        is_repeatable: bool = True,
        **request: Any,
    ) -> tuple[int, dict[str, Any]]:
        """`answer` as most platforms need it: status and JSON object, {} when it is none."""
        answer = self.answer(method, path, body, is_repeatable=is_repeatable, **request)
        return answer.status, answer.body if isinstance(answer.body, dict) else {}

    def answer(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        is_repeatable: bool = True,
        **request: Any,
    ) -> Answer:
        """The whole answer, for platforms that put a handle into a header or answer with a list.

        `body` is sent as JSON; other forms by the keywords of `requests` (data, files, params,
        headers). With `is_repeatable` false only what was certainly not processed is tried again:
        a connection that never came about, and 429.

        Raises BusyError when the platform gives no final answer (network, 429, 5xx): FaultError
        when that may lie in this very request. UncertainError when an unrepeatable request may have
        taken effect.
        """
        is_fault = False
        for attempt in range(self._retries.attempts):
            if self._is_down.is_set():
                break
            wait, is_fault = None, False
            try:
                answer = self._session().request(
                    method,
                    self._base_url + path,
                    json=body,
                    timeout=self._retries.timeout,
                    # A redirect would carry personal data to an address that nobody allowed.
                    allow_redirects=False,
                    **request,
                )
            except requests.RequestException as problem:
                # The address stands in the exception's text; the retry is all that is needed.
                if not is_repeatable and not _never_connected(problem):
                    raise UncertainError("no answer came to a request") from None
            else:
                if answer.status_code not in _RETRIED:
                    self._faults = 0
                    return Answer(answer.status_code, _json(answer), answer.headers)
                if not is_repeatable and answer.status_code != 429:
                    raise UncertainError(f"answer {answer.status_code} to a request")
                is_fault = answer.status_code in _FAULTS
                wait = _retry_after(answer.headers.get("Retry-After"))
                if wait is not None and wait > self._retries.longest_pause:
                    break
            if attempt + 1 < self._retries.attempts:
                self._pause(attempt, wait)
        self._faults += is_fault
        if is_fault and self._faults < _MOST_FAULTS and not self._is_down.is_set():
            raise FaultError("the platform answers a request with a fault of its own")
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
            session.auth = self._auth
            session.headers.update(self._headers)
            self._local.session = session
        return self._local.session

    def _pause(self, attempt: int, wait: float | None) -> None:
        if wait is None:
            wait = self._retries.first_pause * 2**attempt * random.uniform(0.5, 1.0)  # noqa: S311
        time.sleep(min(wait, self._retries.longest_pause))


def _never_connected(problem: requests.RequestException) -> bool:
    if isinstance(problem, requests.ConnectTimeout):
        return True
    reason = getattr(problem.args[0], "reason", None) if problem.args else None
    return isinstance(reason, NewConnectionError)


def _json(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except requests.JSONDecodeError:
        return None


def _retry_after(header: str | None) -> float | None:
    """Seconds to wait by `Retry-After`: a number or an HTTP date."""
    if not header:
        return None
    if re.fullmatch(r"\s*[0-9]+\s*", header):
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    if moment.tzinfo is None:  # `-0000`, or no zone: HTTP's dates are of Greenwich
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
