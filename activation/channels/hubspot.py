"""HubSpot CRM v3: contacts keyed by e-mail, membership of a static list by record id.

Needs HUBSPOT_ACCESS_TOKEN (a private app's); HUBSPOT_API_URL outside production. The list must be
MANUAL or SNAPSHOT: HubSpot fills the others itself.
Pages: https://developers.hubspot.com/docs/api-reference/crm-contacts-v3/batch/post-crm-v3-objects-contacts-batch-upsert
and https://developers.hubspot.com/docs/api-reference/crm-lists-v3 (memberships).

The sync says which consent it needs. HubSpot knows a contact by e-mail only (its `phone` is not
unique), so that a row keyed by a phone (a call list) needs `email` among its fields; the phone
then goes into the property `phone`. A member's handle is the contact's record id.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from activation.channels.base import Batch, BatchRejectedError, Channel, Outcome, require_permitted
from activation.channels.capabilities import Capabilities
from activation.channels.http import JsonClient
from activation.channels.hubspot_answers import require_properties, words_of, written
from activation.channels.pace import Pace
from activation.channels.variables import platform_address, require_variable
from activation.consent import PermittedRow, WithdrawalRow
from khach.environment import Environment
from khach.errors import BusyError, ConfigError

_CONTACTS = "/crm/v3/objects/contacts/batch"
_PAGE = 250
_RECORD_ID = re.compile(r"[0-9]+")
# "190 per 10 seconds" of a private app: https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines
# It is the portal's, whatever number of syncs.
_PACE = Pace(190, 10.0)

_NO_EMAIL = Outcome(
    "rejected", "no_email", "HubSpot knows contacts by e-mail: map `email: email` in fields"
)


class Hubspot(Channel):
    """Contacts of one portal and one of its static lists."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        consent_channel=None,
        remote={"list": "variable"},
        field_name=re.compile(r"[a-z][a-z0-9_]*"),
        remote_id_sql="identifier_hash",
        batch_size=100,
        can_list=True,
        is_idempotent=True,
    )

    def __init__(self, env: Environment, remote: Mapping[str, str]) -> None:
        token = require_variable("HUBSPOT_ACCESS_TOKEN", "channel hubspot")
        url = platform_address(env, "HUBSPOT_API_URL", "https://api.hubapi.com")
        self._client = JsonClient(url, headers={"Authorization": f"Bearer {token}"})
        self._list = remote["list"]

    def prepare(self, fields: Sequence[str]) -> None:
        """Make sure that the list takes members; unknown properties show with the first batch."""
        del fields
        answer = self._require_list(*self._call("GET", f"/crm/v3/lists/{self._list}"))
        kind = answer["list"]["processingType"]
        if kind not in ("MANUAL", "SNAPSHOT"):
            raise ConfigError(
                f"HubSpot fills the list of this sync itself ({kind})",
                fix="name a static list in the environment variable that `remote.list` names",
            )

    def upsert(self, batch: Batch[PermittedRow]) -> list[Outcome]:
        """Write the contacts, then put those that were taken into the list."""
        require_permitted(batch)
        inputs = {str(n): _input(str(n), row) for n, row in enumerate(batch.rows)}
        found: dict[str, Outcome] = {n: _NO_EMAIL for n, entry in inputs.items() if not entry["id"]}
        asked = [entry for n, entry in inputs.items() if n not in found]
        if asked:
            found |= self._write(asked)
            ids = [one.handle for one in found.values() if one.handle]
            missing = self._change_list(add=ids)
            for n, outcome in found.items():
                if outcome.handle in missing:
                    words = "the contact is gone from the portal"
                    found[n] = Outcome("rejected", "missing", words)
        return [found[n] for n in inputs]

    def remove(self, batch: Batch[WithdrawalRow]) -> list[Outcome]:
        """Take contacts out of the list; they stay contacts of the portal."""
        ids = self._record_ids(batch.rows)
        missing = self._change_list(remove=list(ids.values()))
        return [_left(row, ids, missing) for row in batch.rows]

    def members(self) -> Iterator[str]:
        """Record ids of everyone in the list, page by page."""
        after = ""
        while True:
            path = f"/crm/v3/lists/{self._list}/memberships?limit={_PAGE}{after}"
            answer = self._require_list(*self._call("GET", path))
            yield from (str(member["recordId"]) for member in answer["results"])
            cursor = answer.get("paging", {}).get("next", {}).get("after")
            if not cursor:
                return
            after = f"&after={cursor}"

    def _write(self, inputs: list[dict[str, Any]]) -> dict[str, Outcome]:
        status, answer = self._call("POST", f"{_CONTACTS}/upsert", {"inputs": inputs})
        if status not in (200, 201, 207):
            self._require_access(status)
            require_properties(inputs, answer)
            raise BatchRejectedError(
                str(answer.get("category") or status), words_of(answer, inputs)
            )
        return written(inputs, answer)

    def _change_list(self, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> set[str]:
        """Add or remove record ids; those that the portal does not know. A repeat does nothing."""
        if not add and not remove:
            return set()
        path = f"/crm/v3/lists/{self._list}/memberships/add-and-remove"
        body = {"recordIdsToAdd": list(add), "recordIdsToRemove": list(remove)}
        answer = self._require_list(*self._call("PUT", path, body))
        return {str(one) for one in answer.get("recordIdsMissing", [])}

    def _record_ids(self, rows: Sequence[WithdrawalRow]) -> dict[str, str]:
        """`remote_id` to record id; members never acknowledged by id are asked for by e-mail."""
        ids = {row.remote_id: row.remote_id for row in rows if _RECORD_ID.fullmatch(row.remote_id)}
        asked = {str(row.identifier).lower(): row.remote_id for row in rows if _is_findable(row)}
        if asked:
            body = {"idProperty": "email", "inputs": [{"id": email} for email in asked],
                    "properties": ["email"], "propertiesWithHistory": []}  # fmt: skip
            status, answer = self._call("POST", f"{_CONTACTS}/read", body)
            if status not in (200, 207):
                self._require_access(status)
                raise BusyError(f"HubSpot answers {status} to a question", fix="try again later")
            for found in answer.get("results", []):
                ids[asked[str(found["properties"]["email"]).lower()]] = str(found["id"])
        return ids

    def _call(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        _PACE.wait()
        return self._client.call(method, path, body)

    def _require_access(self, status: int) -> None:
        if status in (401, 403):
            raise ConfigError(
                "HubSpot refuses the access token",
                key="HUBSPOT_ACCESS_TOKEN",
                fix="a private app's token with scopes crm.objects.contacts and crm.lists",
            )

    def _require_list(self, status: int, answer: dict[str, Any]) -> dict[str, Any]:
        self._require_access(status)
        if status != 200:
            raise ConfigError(
                f"HubSpot answers {status} for the list of this sync: {words_of(answer)}",
                fix="check the list id in the environment variable that `remote.list` names",
            )
        return answer


def _is_findable(row: WithdrawalRow) -> bool:
    return not _RECORD_ID.fullmatch(row.remote_id) and "@" in (row.identifier or "")


def _left(row: WithdrawalRow, ids: Mapping[str, str], missing: set[str]) -> Outcome:
    record_id = ids.get(row.remote_id)
    if record_id and record_id not in missing:
        return Outcome("acknowledged")
    if record_id or _is_findable(row):
        return Outcome("acknowledged", "not_held", "HubSpot no longer has the contact")
    return Outcome("rejected", "no_record_id", "neither record id nor e-mail of it is known")


def _input(trace: str, row: PermittedRow) -> dict[str, Any]:
    properties = dict(row.fields)
    if "@" in row.identifier:
        email = row.identifier
    else:
        email = properties.get("email", "")
        properties.setdefault("phone", row.identifier)
    properties["email"] = email
    return {
        "id": email,
        "idProperty": "email",
        "objectWriteTraceId": trace,
        "properties": properties,
    }
