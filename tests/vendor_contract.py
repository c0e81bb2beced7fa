"""A vendor's published OpenAPI document as a judge of requests and answers."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

from ingestion import rest

_METHODS = ("get", "put", "post", "patch", "delete")


class VendorContract:
    """Judges exchanges. `host` and `base` are the contract's own address; answers are judged
    closed: a key that the contract does not know is a spelling mistake of ours. `loosen` opens
    what the contract itself leaves out."""

    def __init__(
        self,
        specs: Path,
        vendor: str,
        host: str,
        *,
        base: str = "",
        headers: dict[str, str] | None = None,
        settings: dict[str, Any] | None = None,
        loosen: Callable[[dict[str, Any]], None] = lambda _document: None,
    ) -> None:
        document = json.loads((specs / vendor / "openapi.json").read_text(encoding="utf-8"))
        self.operations = {
            (method.upper(), path)
            for path, item in document["paths"].items()
            for method in item
            if method in _METHODS
        }
        self._host, self._base, self._headers = host, base, headers or {}
        settings = {"spec_validator_cls": None, **(settings or {})}
        self._open = OpenAPI.from_dict(document, config=Config(**settings))
        loosen(document)
        strict = Config(**settings, additional_properties_default_policy="forbid")
        self._closed = OpenAPI.from_dict(document, config=strict)

    def request_problem(
        self,
        method: str,
        path: str,
        params: dict[str, Any],
        body: bytes | None,
        content_type: str = "application/json",
    ) -> str | None:
        """What the contract has against a request, or None."""
        try:
            self._open.validate_request(self._request(method, path, params, body, content_type))
        except OpenAPIError as error:
            cause = error.__cause__
            return f"{error} {cause or ''} {getattr(cause, 'schema_errors', '')}"
        return None

    def response_problem(
        self, method: str, path: str, status: int, body: bytes, content_type: str
    ) -> str | None:
        """What the contract has against an answer, or None."""
        if status == 204:
            return "204 with a body" if body else None
        judge = self._closed if status < 300 else self._open
        answer = MockResponse(body, status_code=status, content_type=content_type)
        try:
            judge.validate_response(self._request(method, path, {}, None), answer)
        except OpenAPIError as error:
            return f"{error} {getattr(error.__cause__, 'schema_errors', '')}"
        return None

    def _request(
        self,
        method: str,
        path: str,
        params: dict[str, Any],
        body: bytes | None,
        content_type: str = "application/json",
    ) -> MockRequest:
        return MockRequest(
            self._host,
            method,
            self._base + path,
            args={name: str(value) for name, value in params.items()},
            headers=self._headers,
            data=body,
            content_type=content_type,
        )


@contextmanager
def judged(contract: VendorContract, *, prefix: str = "") -> Iterator[list[tuple[str, str]]]:
    """Every exchange of a connector inside the block keeps the contract; yields (method, path).

    `prefix` is the part of the path that stands in the connector's address.
    """
    seen: list[tuple[str, str]] = []
    send = rest.Api.send

    def judging(
        api: rest.Api, method: str, path: str, *, params: Any = None, body: Any = None
    ) -> rest.Answer:
        place = f"{prefix}/{path}"
        data = None if body is None else json.dumps(body).encode()
        problem = contract.request_problem(method, place, params or {}, data)
        assert problem is None, (method, place, params, body, problem)
        answer = send(api, method, path, params=params, body=body)
        problem = contract.response_problem(method, place, 200, answer.body, "application/json")
        assert problem is None, (method, place, problem)
        seen.append((method, place))
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rest.Api, "send", judging)
        yield seen
