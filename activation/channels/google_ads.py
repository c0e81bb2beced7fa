"""Google Ads Customer Match through the Data Manager API: members of one audience.

Needs GOOGLE_ADS_ACCESS_TOKEN (scope datamanager); GOOGLE_DATA_MANAGER_URL outside production.
Pages, all under https://developers.google.com/data-manager/api:
reference/rest/v1/audienceMembers/ingest and /remove, reference/rest/v1/requestStatus/retrieve,
devguides/audiences/google-ads/customer-match, devguides/limits.

A request answers only its id; what became of it is polled, and told for the whole request. All
identifiers of a person go as ONE member. A handle is the request's id and the member's hashes;
the hashes are then its `remote_id`, so that a person leaves by every hash that was sent. (A name
and place alone cannot be taken back: Google drops the member with its other identifiers.)
Sending says, as Google asks for, that its Customer Match terms were accepted for the account.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from activation.channels.base import (
    Batch,
    BatchRejectedError,
    Channel,
    Match,
    Outcome,
    Row,
    require_permitted,
)
from activation.channels.capabilities import Capabilities
from activation.channels.formats import google
from activation.channels.http import JsonClient
from activation.channels.pace import Pace
from activation.channels.variables import platform_address, require_variable
from activation.consent import PermittedRow, WithdrawalRow
from khach.environment import Environment
from khach.errors import BusyError, ConfigError
from khach.redact import redact

_API = "https://datamanager.googleapis.com"
# "300 requests per minute per project": https://developers.google.com/data-manager/api/devguides/limits
_PACE = Pace(300, 60.0)
_CONSENT = {"adUserData": "CONSENT_GRANTED", "adPersonalization": "CONSENT_GRANTED"}
_TERMS = {"customerMatchTermsOfServiceStatus": "ACCEPTED"}
_ADDRESS = {
    "givenName": "given_name",
    "familyName": "family_name",
    "regionCode": "region_code",
    "postalCode": "postal_code",
}
_IDENTIFIERS = {"e": "emailAddress", "p": "phoneNumber"}


class GoogleAds(Channel):
    """One Customer Match audience of one account."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        consent_channel="ads",
        tells_matches=True,
        remote={"audience": "variable", "account": "variable"},
        field_name=re.compile("|".join(google.FIELDS)),
        remote_id_sql=google.KEY,
        field_sql=google.FIELDS,
        batch_size=10_000,
        is_idempotent=True,
        is_polled=True,
    )

    def __init__(self, env: Environment, remote: Mapping[str, str]) -> None:
        token = require_variable("GOOGLE_ADS_ACCESS_TOKEN", "channel google_ads")
        url = platform_address(env, "GOOGLE_DATA_MANAGER_URL", _API)
        self._client = JsonClient(url, headers={"Authorization": f"Bearer {token}"})
        account = {"accountType": "GOOGLE_ADS", "accountId": remote["account"].replace("-", "")}
        # Uploads that are done: matched at least and at most, and the records sent.
        self._matches: dict[str, tuple[int, int, int]] = {}
        self._destination = {
            "operatingAccount": account,
            "productDestinationId": remote["audience"],
        }

    def upsert(self, batch: Batch[PermittedRow]) -> list[Outcome]:
        """Submit members with the consent that each row carries."""
        require_permitted(batch)
        sent = [_keys(row) for row in batch.rows]
        members = [
            _member(keys, _address(row.fields)) for keys, row in zip(sent, batch.rows, strict=True)
        ]
        # What was sent before stays in the handle: it, too, must leave with the member.
        known = [
            _joined([*keys, *row.remote_id.split(",")])
            for keys, row in zip(sent, batch.rows, strict=True)
        ]
        body = {"consent": _CONSENT, "termsOfService": _TERMS}
        return self._submit("ingest", batch, known, members, body)

    def remove(self, batch: Batch[WithdrawalRow]) -> list[Outcome]:
        """Submit members who leave, by all hashes that they came with."""
        known = [row.remote_id for row in batch.rows]
        members = [_member(keys.split(",")) for keys in known]
        return self._submit("remove", batch, known, members, {})

    def poll(self, handles: Sequence[str]) -> list[Outcome]:
        """What became of the requests; each is asked for once, whatever number of rows it had."""
        requests = dict.fromkeys(handle.partition(" ")[0] for handle in handles)
        told = {request_id: self._ask(request_id) for request_id in requests}
        found = []
        for handle in handles:
            request_id, _, keys = handle.partition(" ")
            status, code, words = told[request_id]
            kept = handle if status == "submitted" else keys
            found.append(Outcome(status, code, words, kept))  # type: ignore[arg-type]
        return found

    def matched(self) -> Match | None:
        """Of the uploads that `poll` found done; Google tells of each a range in percent.

        https://developers.google.com/data-manager/api/reference/rest/v1/requestStatus/retrieve
        """
        if not self._matches:
            return None
        least, most, sent = (sum(column) for column in zip(*self._matches.values(), strict=True))
        return Match(least, most, sent)

    def _submit(
        self,
        verb: str,
        batch: Batch[Row],
        known: Sequence[str],
        members: Sequence[Mapping[str, Any]],
        body: Mapping[str, Any],
    ) -> list[Outcome]:
        body = {
            "destinations": [self._destination],
            "audienceMembers": members,
            "encoding": "HEX",
            **body,
        }
        _PACE.wait()
        status, answer = self._client.call("POST", f"/v1/audienceMembers:{verb}", body)
        if status != 200:
            raise _refusal(status, answer.get("error") or {})
        if not (request_id := answer.get("requestId")):
            return [Outcome("unknown", "no_request_id")] * len(batch.rows)
        return [Outcome("submitted", handle=f"{request_id} {keys}") for keys in known]

    def _ask(self, request_id: str) -> tuple[str, str | None, str | None]:
        """Outcome status, code and words of a request."""
        _PACE.wait()
        path = "/v1/requestStatus:retrieve"
        try:
            status, answer = self._client.call("GET", path, params={"requestId": request_id})
        except BusyError as problem:
            return "submitted", "no_answer", problem.message
        if status == 404:
            return "unknown", "not_found", "Google does not know the request any more"
        if status != 200:
            refusal = _refusal(status, answer.get("error") or {})
            if not isinstance(refusal, BatchRejectedError):
                raise refusal
            return "unknown", refusal.outcome.code, refusal.outcome.message
        told = (answer.get("requestStatusPerDestination") or [{}])[0]
        if match := _range(told):
            self._matches[request_id] = match
        return _told(told)


def _keys(row: PermittedRow) -> list[str]:
    """The member's hashes, its key first, each once: `e:<hash>`, `p:<hash>`."""
    fields = {"e": row.fields.get("email"), "p": row.fields.get("phone")}
    more = [f"{kind}:{value}" for kind, value in fields.items() if value]
    return list(dict.fromkeys([row.remote_id.split(",")[0], *more]))


def _joined(keys: Sequence[str]) -> str:
    return ",".join(dict.fromkeys(keys))


def _member(keys: Sequence[str], address: Mapping[str, str] | None = None) -> dict[str, Any]:
    identifiers: list[dict[str, Any]] = []
    for key in keys:
        kind, _, digest = key.partition(":")
        identifiers.append({_IDENTIFIERS[kind]: digest})
    if address:
        identifiers.append({"address": address})
    return {"userData": {"userIdentifiers": identifiers}}


def _address(fields: Mapping[str, str]) -> dict[str, str] | None:
    """Name and place, only complete: Google refuses a member with a part of it."""
    found = {name: fields.get(field, "") for name, field in _ADDRESS.items()}
    return found if all(found.values()) else None


def _range(status: Mapping[str, Any]) -> tuple[int, int, int] | None:
    """Matched at least and at most, and the records of an upload; None where there is no rate."""
    members = status.get("audienceMembersIngestionStatus") or {}
    upload = members.get("userDataIngestionStatus") or {}
    percents = re.findall("[0-9]+", str(upload.get("uploadMatchRateRange") or ""))
    if not percents or status.get("requestStatus") != "SUCCESS":
        return None
    low, high = ("0", *percents)[-2:]  # LESS_THAN_20 is one number, 20_TO_30 are two
    sent = int(upload["recordCount"])
    return sent * int(low) // 100, -(-sent * int(high) // 100), sent


def _told(status: Mapping[str, Any]) -> tuple[str, str | None, str | None]:
    """A partial success does not say which records failed: all of them are unknown."""
    state = str(status.get("requestStatus"))
    counts = (status.get("errorInfo") or {}).get("errorCounts") or []
    words = "; ".join(f"{count['recordCount']} records: {count['reason']}" for count in counts)
    if state == "SUCCESS":
        return "acknowledged", None, None
    if state == "FAILED":
        return "rejected", state, words
    if state == "PARTIAL_SUCCESS":
        return "unknown", state, words
    return "submitted", None, None


def _refusal(status: int, error: Mapping[str, Any]) -> Exception:
    """BatchRejectedError where the members are at fault, ConfigError for all else."""
    violations = [
        violation
        for detail in error.get("details") or []
        for violation in detail.get("fieldViolations") or []
    ]
    words = [str(error.get("message") or "")]
    words += [f"{one.get('reason', '')} {one.get('description', '')}" for one in violations[:3]]
    told = redact("; ".join(words))[:500]
    if status == 401:
        return ConfigError(
            f"Google refuses the access token: {told}",
            key="GOOGLE_ADS_ACCESS_TOKEN",
            fix="a token with the scope https://www.googleapis.com/auth/datamanager",
        )
    fields = [str(one.get("field", "")) for one in violations]
    if status in (403, 404) or any(field.startswith("destinations") for field in fields):
        return ConfigError(
            f"Google refuses the destination of this sync: {told}",
            fix="check the ids in the variables that `remote.account` and `remote.audience` name",
        )
    return BatchRejectedError(str(error.get("status") or status), told)
