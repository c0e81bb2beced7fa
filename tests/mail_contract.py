"""A client of the e-mail platform that holds every exchange against the vendor's contract."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

HOST = "https://server.api.mailchimp.com"  # the contract's own server
_SETTINGS: dict[str, Any] = {
    "spec_validator_cls": None,
    "extra_media_type_deserializers": {"application/problem+json": json.loads},
}


class Contract:
    """Mailchimp's published OpenAPI document as a judge of requests and responses."""

    def __init__(self, specs: Path) -> None:
        document = json.loads((specs / "mailchimp" / "openapi.json").read_text(encoding="utf-8"))
        self.operations = {
            (method.upper(), path)
            for path, item in document["paths"].items()
            for method in item
            if method in ("get", "put", "post", "patch", "delete")
        }
        self._open = OpenAPI.from_dict(document, config=Config(**_SETTINGS))
        # For answers a key that the contract does not know is a spelling mistake of ours.
        # Only the feed's items stay open: the contract lists their keys in a comment (x-oneOf).
        feed = document["components"]["schemas"]["Member_Activity_Events_1"]["properties"]
        feed["activity"]["items"]["additionalProperties"] = True
        strict = Config(**_SETTINGS, additional_properties_default_policy="forbid")
        self._closed = OpenAPI.from_dict(document, config=strict)

    def request_problem(
        self, method: str, path: str, params: dict[str, Any], body: bytes | None
    ) -> str | None:
        """What the contract has against a request, or None."""
        try:
            self._open.validate_request(_request(method, path, params, body))
        except OpenAPIError as error:
            return f"{error} {error.__cause__ or ''}"
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
            judge.validate_response(_request(method, path, {}, None), answer)
        except OpenAPIError as error:
            return f"{error} {getattr(error.__cause__, 'schema_errors', '')}"
        return None


@dataclass
class ContractClient:
    """Calls the platform; an exchange that breaks the contract fails the test."""

    url: str
    key: str
    contract: Contract

    @cached_property
    def session(self) -> requests.Session:
        """One connection, with the key as password and any user name."""
        session = requests.Session()
        session.auth = ("any", self.key)
        return session

    def call(
        self, method: str, path: str, body: Any = None, *, is_valid: bool = True, **params: Any
    ) -> tuple[int, Any]:
        """Status and JSON of an answer; `is_valid=False` sends what the contract refuses."""
        data = None if body is None else json.dumps(body).encode()
        problem = self.contract.request_problem(method, path, params, data)
        assert (problem is None) is is_valid, problem
        answer = self.session.request(
            method,
            self.url + path,
            params=params,
            data=data,
            headers={"Content-Type": "application/json"},
            timeout=20,
        )
        kind = answer.headers.get("Content-Type", "")
        refused = self.contract.response_problem(
            method, path, answer.status_code, answer.content, kind
        )
        assert refused is None, refused
        return answer.status_code, answer.json() if answer.content else None

    def get(self, path: str, **params: Any) -> Any:
        """The JSON of a successful GET."""
        status, body = self.call("GET", path, **params)
        assert status == 200, body
        return body


def _request(method: str, path: str, params: dict[str, Any], body: bytes | None) -> MockRequest:
    return MockRequest(
        HOST,
        method,
        "/3.0" + path,
        args={name: str(value) for name, value in params.items()},
        headers={"Authorization": "Basic eDp5"},
        data=body,
    )
