"""A vendor's REST API: one connection, retries, and errors that a person can act on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from khach.errors import BusyError, ConfigError, KhachError

if TYPE_CHECKING:
    from requests import Response, Session

# A vendor that is busy is asked again after 0.5, 1, 2, 4 s, or when its Retry-After says.
ATTEMPTS = 5
BACKOFF_SECONDS = 0.5
TIMEOUT_SECONDS = 60.0
_LOOPBACK = ("127.0.0.1", "localhost")


def require_https(url: str, variable: str, *, source: str) -> None:
    """A key never crosses the network in clear. `variable` is the NAME of the address's variable.

    Raises ConfigError for any other address than https:// or this machine's.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise ConfigError(
            f"source {source}: {variable} is not an https:// address, so the key would be readable "
            "on its way",
            fix=f"export {variable}=https://...",
        )


def open_session(url: str) -> Session:
    """A session for one address that repeats on 429 and 5xx, Retry-After honoured."""
    from dlt.sources.helpers.requests import Client

    client = Client(
        request_timeout=TIMEOUT_SECONDS,
        raise_for_status=False,
        request_max_attempts=ATTEMPTS,
        request_backoff_factor=BACKOFF_SECONDS,
    )
    session: Session = client.session
    # A proxy of the machine must not carry what stays on the machine.
    session.trust_env = urlsplit(url).hostname not in _LOOPBACK
    return session


@dataclass(frozen=True)
class Answer:
    """What came back: the bytes of the body, and the headers (any case)."""

    body: bytes
    headers: Mapping[str, str]

    @property
    def sent_at(self) -> datetime | None:
        """The vendor's own clock (naive UTC), which is the one that its `updated` times follow."""
        try:
            return parsedate_to_datetime(self.headers["Date"]).astimezone(UTC).replace(tzinfo=None)
        except (KeyError, ValueError):
            return None


class Api:
    """A vendor's API through dlt's REST client: retries on 429 and 5xx, Retry-After honoured.

    `key` is sent as the password of `user` (basic), or, when there is no `user`, as a bearer.
    """

    def __init__(
        self,
        source: str,
        url: str,
        key_variable: str,
        key: str,
        *,
        user: str | None = "khach",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        from dlt.sources.helpers.rest_client.auth import BearerTokenAuth, HttpBasicAuth
        from dlt.sources.helpers.rest_client.client import RESTClient

        self._source = source
        self._key_variable = key_variable
        auth = BearerTokenAuth(key) if user is None else HttpBasicAuth(user, key)
        self._client = RESTClient(
            base_url=url, auth=auth, headers=dict(headers or {}), session=open_session(url)
        )

    def get(self, path: str, params: Mapping[str, str | int]) -> bytes:
        """The answer's body."""
        return self.send("GET", path, params=params).body

    def send(
        self,
        method: Literal["GET", "POST"],
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: Any = None,
    ) -> Answer:
        """The answer to a request that only reads, so that it may be repeated; `body` goes as JSON.

        Raises ConfigError when the key is refused, BusyError when there is no answer or the
        vendor stays busy, NotFoundError, KhachError for any other refusal.
        """
        from requests import RequestException

        try:
            response = self._client.request(
                path, method, params=dict(params) if params else None, json=body
            )
        except RequestException as problem:
            raise BusyError(
                f"source {self._source}: no answer ({type(problem).__name__})",
                fix="check the address and the network, then run again",
            ) from None
        self._require_success(response, path)
        return Answer(response.content, response.headers)

    def _require_success(self, response: Response, path: str) -> None:
        status = response.status_code
        if status in (401, 403):
            raise ConfigError(
                f"source {self._source}: the API key in {self._key_variable} is refused ({status})",
                fix=f"export {self._key_variable}=... with a key that is valid for this account",
            )
        if status == 429 or status >= 500:
            raise BusyError(
                f"source {self._source}: the API is busy ({status})", fix="run again later"
            )
        if status == 404:
            raise NotFoundError(f"source {self._source}: {path} answers 404")
        if status != 200:
            raise KhachError(f"source {self._source}: {path} answers {status}")


class NotFoundError(KhachError):
    """The vendor has no such thing, or the address is not the API's."""
