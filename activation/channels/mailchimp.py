"""Mailchimp Marketing API 3.0: membership of an audience is a tag on a list member.

Needs MAILCHIMP_API_KEY, and MAILCHIMP_API_URL where the address cannot be derived from the key.
A member is keyed by the MD5 of the lower-cased address; PUT upserts and never resubscribes
(`status_if_new` only); its answer lists the tags, so a tag is posted only where it is missing.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar
from urllib.parse import urlencode

from activation.channels.base import Batch, Channel, Outcome, RemoteMember, Row, require_permitted
from activation.channels.capabilities import Capabilities
from activation.channels.http import FaultError, JsonClient
from activation.channels.sending import masked
from activation.channels.variables import require_allowed_address, require_variable
from activation.consent import PermittedRow, WithdrawalRow
from khach.environment import Environment
from khach.errors import BusyError, ConfigError

# Mailchimp allows 10 connections at once per account.
_CONNECTIONS = 10
_PAGE = 1000
# A segment shows subscribed members only, unless it is told.
_WHOLE = (
    "&fields=members.id,total_items&include_unsubscribed=true&include_cleaned=true"
    "&include_transactional=true"
)
_REACHABLE = ("subscribed", "pending", "transactional")


class Mailchimp(Channel):
    """Members and tags of one list."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        consent_channel="email",
        remote={"list": "variable", "tag": ()},
        field_name=re.compile(r"[A-Z][A-Z0-9_]{0,9}"),
        remote_id_sql="md5(identifier)",
        batch_size=200,
        can_suppress=True,
        can_read_back=True,
        can_list=True,
    )

    def __init__(self, env: Environment, remote: Mapping[str, str]) -> None:
        key = require_variable("MAILCHIMP_API_KEY", "channel mailchimp")
        self._client = JsonClient(_address(env, key), auth=("khach", key))
        self._list = remote["list"]
        self._tag = remote["tag"]

    def prepare(self, fields: Sequence[str]) -> None:
        """Create the merge fields that the list does not have yet."""
        status, body = self._client.call("GET", self._path("merge-fields?count=1000"))
        self._require_list(status)
        present = {field["tag"] for field in body["merge_fields"]}
        for name in fields:
            if name not in present:
                new = {"tag": name, "name": name, "type": "text", "required": False}
                status, body = self._client.call("POST", self._path("merge-fields"), new)
                if status != 200:
                    raise ConfigError(
                        f"Mailchimp did not create the merge field {name}: {masked(_words(body))}",
                        key=name,
                        fix="create it in the list's settings, or take another name",
                    )

    def upsert(self, batch: Batch[PermittedRow]) -> list[Outcome]:
        """PUT the member, then POST the tag unless the answer shows it."""
        require_permitted(batch)
        return self._each(self._upsert, batch.rows)

    def remove(self, batch: Batch[WithdrawalRow]) -> list[Outcome]:
        """Set the tag inactive; the contact stays in the list."""
        return self._each(lambda row: self._post_tag(row, "inactive"), batch.rows)

    def suppress(self, batch: Batch[WithdrawalRow]) -> list[Outcome]:
        """Unsubscribe contacts that the list holds and could reach."""
        return self._each(self._suppress, batch.rows)

    def read_back(self, rows: Sequence[WithdrawalRow]) -> list[RemoteMember]:
        """Members and tags as the list shows them now; BusyError when it gives no answer."""
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            return list(pool.map(self._read, rows))

    def members(self) -> Iterator[str]:
        """Ids of the contacts that carry the tag, page by page, through the tag's own segment."""
        path = self._path("tag-search?") + urlencode({"name": self._tag})
        status, body = self._client.call("GET", path)
        self._require_list(status)
        tag_id = next((tag["id"] for tag in body["tags"] if tag["name"] == self._tag), None)
        offset, total = 0, 0 if tag_id is None else 1
        while offset < total:
            page = f"segments/{tag_id}/members?count={_PAGE}&offset={offset}"
            status, body = self._client.call("GET", self._path(page + _WHOLE))
            self._require_list(status)
            yield from (str(member["id"]) for member in body["members"])
            offset, total = offset + _PAGE, int(body["total_items"])

    def _each(self, act: Callable[[Row], Outcome], rows: Sequence[Row]) -> list[Outcome]:
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            return list(pool.map(lambda row: _answered(act, row), rows))

    def _upsert(self, row: PermittedRow) -> Outcome:
        body = {
            "email_address": row.identifier,
            "status_if_new": "subscribed",
            "merge_fields": dict(row.fields),
        }
        status, answer = self._client.call("PUT", self._path(f"members/{row.remote_id}"), body)
        if status != 200:
            return self._refusal(status, answer, row)
        if answer.get("status") not in _REACHABLE:
            state = str(answer.get("status"))
            return Outcome("dropped", state, f"the contact is {state} at the platform; left so")
        if self._tag in self._tags_of(row.remote_id, answer):
            return Outcome("acknowledged")
        return self._post_tag(row, "active")

    def _tags_of(self, remote_id: str, answer: dict[str, Any]) -> set[str]:
        tags = answer.get("tags")
        # The list in an answer may be cut; only when it is complete does absence mean anything.
        if tags is None or len(tags) < int(answer.get("tags_count") or 0):
            status, body = self._client.call(
                "GET", self._path(f"members/{remote_id}/tags?count=1000")
            )
            tags = body.get("tags", []) if status == 200 else []
        return {str(tag["name"]) for tag in tags}

    def _post_tag(self, row: PermittedRow | WithdrawalRow, state: str) -> Outcome:
        body = {"tags": [{"name": self._tag, "status": state}]}
        path = self._path(f"members/{row.remote_id}/tags")
        status, answer = self._client.call("POST", path, body)
        if status in (200, 204):
            return Outcome("acknowledged")
        if status == 404 and state == "inactive":
            return Outcome("acknowledged", "not_held", "the list no longer holds the contact")
        return self._refusal(status, answer, row)

    def _suppress(self, row: WithdrawalRow) -> Outcome:
        member = self._read(row)
        if not member.is_held:
            return Outcome("acknowledged", "not_held")
        if not member.is_reachable:
            return Outcome("acknowledged", "already")
        status, answer = self._client.call(
            "PATCH", self._path(f"members/{row.remote_id}"), {"status": "unsubscribed"}
        )
        if status == 200 and answer.get("status") == "unsubscribed":
            return Outcome("acknowledged", "unsubscribed")
        return self._refusal(status, answer, row)

    def _read(self, row: WithdrawalRow) -> RemoteMember:
        status, answer = self._client.call("GET", self._path(f"members/{row.remote_id}"))
        if status == 404 or answer.get("status") == "archived":
            return RemoteMember(is_held=False, is_member=False, is_reachable=False)
        self._require_list(status)
        is_member = self._tag in self._tags_of(row.remote_id, answer)
        return RemoteMember(True, is_member, answer.get("status") in _REACHABLE)

    def _refusal(
        self, status: int, answer: dict[str, Any], row: PermittedRow | WithdrawalRow
    ) -> Outcome:
        self._require_key(status)
        return Outcome("rejected", str(status), masked(_words(answer), row))

    def _require_key(self, status: int) -> None:
        if status in (401, 403):
            raise ConfigError("Mailchimp refuses the API key", key="MAILCHIMP_API_KEY")

    def _require_list(self, status: int) -> None:
        self._require_key(status)
        if status != 200:
            raise ConfigError(
                f"Mailchimp answers {status} for the list of this sync",
                fix="check the list id in the environment variable that `remote.list` names",
            )

    def _path(self, rest: str) -> str:
        return f"/lists/{self._list}/{rest}"


def _answered(act: Callable[[Row], Outcome], row: Row) -> Outcome:
    try:
        return act(row)
    except FaultError as problem:  # in the end this row's own: it must not hold up the others
        return Outcome("unknown", "fault", problem.message)
    except BusyError as problem:
        return Outcome("unanswered", "no_answer", problem.message)


def _words(answer: dict[str, Any]) -> str:
    """The platform's own words, still with what it repeats of a person."""
    errors = "; ".join(str(e.get("message")) for e in answer.get("errors") or [])
    return " ".join(filter(None, (str(answer.get("detail") or ""), errors)))


def _address(env: Environment, key: str) -> str:
    """MAILCHIMP_API_URL, or in prod the data centre that ends the key (`...-us21`)."""
    url = os.environ.get("MAILCHIMP_API_URL")
    centre = re.search(r"-([a-z]+[0-9]+)$", key)
    if not url and env.name == "prod" and centre:
        return f"https://{centre.group(1)}.api.mailchimp.com/3.0"
    url = require_variable("MAILCHIMP_API_URL", "channel mailchimp")
    require_allowed_address(env, url, "MAILCHIMP_API_URL")
    return url
