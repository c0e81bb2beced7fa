"""A client of the e-mail platform that holds every exchange against the vendor's contract."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
from vendor_contract import VendorContract


class Contract(VendorContract):
    """Mailchimp's published OpenAPI document as a judge of requests and responses."""

    def __init__(self, specs: Path) -> None:
        super().__init__(
            specs,
            "mailchimp",
            "https://server.api.mailchimp.com",  # the contract's own server
            base="/3.0",
            headers={"Authorization": "Basic eDp5"},
            settings={"extra_media_type_deserializers": {"application/problem+json": json.loads}},
            loosen=_open_the_feed,
        )


def _open_the_feed(document: dict[str, Any]) -> None:
    """Only the feed's items stay open: the contract lists their keys in a comment (x-oneOf)."""
    feed = document["components"]["schemas"]["Member_Activity_Events_1"]["properties"]
    feed["activity"]["items"]["additionalProperties"] = True


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
