"""Meta Custom Audiences (Marketing API): users of one customer-file audience, hashed.

Needs META_ACCESS_TOKEN; META_API_URL outside production. Pages:
https://developers.facebook.com/documentation/ads-commerce/marketing-api/reference/custom-audience/users
https://developers.facebook.com/documentation/ads-commerce/marketing-api/audiences/guides/custom-audiences

A member is sent with its key as EXTERN_ID beside the hashes, and leaves by both, so that it leaves
whichever of its hashes Meta had matched. Adding and removing again changes nothing more. An answer
counts invalid entries and does not say which; the others took effect. Such a batch is treated as
rejected: its halves send the good rows again, which is harmless, until the bad one stands alone.
Changes show in ads up to 24 hours later.
"""

import hashlib
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
from activation.channels.formats import key_parts, meta
from activation.channels.http import JsonClient
from activation.channels.variables import platform_address, require_variable
from activation.consent import PermittedRow, WithdrawalRow
from khach.environment import Environment
from khach.errors import ConfigError
from khach.redact import redact

_API = "https://graph.facebook.com/v25.0"
_KEYS = ("EXTERN_ID", "EMAIL", "PHONE")
# Throttling and passing faults come as 400 with a code:
# https://developers.facebook.com/docs/graph-api/guides/error-handling
_PASSING = frozenset({1, 2, 4, 17, 32, 613, *range(80000, 80015)})
_TOKEN = frozenset({10, 102, 190, *range(200, 300)})
# "Audience Upload Blocked": .../reference/custom-audience/users
_BLOCKED = 1713230


class MetaAds(Channel):
    """One custom audience."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        consent_channel="ads",
        tells_matches=True,
        remote={"audience": "variable"},
        field_name=re.compile("|".join(meta.FIELDS)),
        remote_id_sql=meta.KEY,
        field_sql=meta.FIELDS,
        batch_size=10_000,
        is_idempotent=True,
    )

    def __init__(self, env: Environment, remote: Mapping[str, str]) -> None:
        token = require_variable("META_ACCESS_TOKEN", "channel meta_ads")
        url = platform_address(env, "META_API_URL", _API)
        self._client = JsonClient(url, headers={"Authorization": f"Bearer {token}"})
        self._path = f"/{remote['audience']}/users"

    def upsert(self, batch: Batch[PermittedRow]) -> list[Outcome]:
        """Add users; BatchRejectedError also when only some entries were invalid."""
        require_permitted(batch)
        named = {name for row in batch.rows for name, value in row.fields.items() if value}
        schema = [*_KEYS, *sorted(named.difference(_KEYS))]
        data = []
        for row in batch.rows:
            values = {name: value for name, value in row.fields.items() if value}
            data.append([(values | _keys(row.remote_id)).get(name, "") for name in schema])
        return self._send("POST", batch, schema, data)

    def remove(self, batch: Batch[WithdrawalRow]) -> list[Outcome]:
        """Remove users; one whom the audience does not hold is no error."""
        data = [[_keys(row.remote_id).get(name, "") for name in _KEYS] for row in batch.rows]
        return self._send("DELETE", batch, list(_KEYS), data)

    def matched(self) -> Match | None:
        """The audience's approximate size, a range; none while Meta still works it out (-1).

        https://developers.facebook.com/docs/marketing-api/reference/custom-audience
        """
        fields = "approximate_count_lower_bound,approximate_count_upper_bound"
        path = self._path.removesuffix("/users")
        status, answer = self._client.call("GET", path, params={"fields": fields})
        least, most = (int(answer.get(name, -1)) for name in fields.split(","))
        return Match(least, most) if status == 200 and 0 <= least <= most else None

    def _send(
        self, method: str, batch: Batch[Row], schema: Sequence[str], data: Sequence[Sequence[str]]
    ) -> list[Outcome]:
        body = {
            "session": _session(batch),
            "payload": {"schema": schema, "data": data},
        }
        status, answer = self._client.call(method, self._path, body)
        if status != 200:
            return [_refusal(status, answer.get("error") or {})] * len(batch.rows)
        if invalid := int(answer.get("num_invalid_entries") or 0):
            words = f"{invalid} of {len(data)} entries were invalid"
            raise BatchRejectedError("invalid_entries", words)
        if int(answer.get("num_received") or 0) != len(data):
            return [Outcome("unknown", "not_received")] * len(data)
        return [Outcome("acknowledged")] * len(data)


def _keys(remote_id: str) -> dict[str, str]:
    """What names a member: its key as our id, and the hash that the key is made of."""
    email, phone = key_parts(remote_id)
    known = {"EXTERN_ID": remote_id, "EMAIL": email, "PHONE": phone}
    return {name: value for name, value in known.items() if value}


def _session(batch: Batch[Row]) -> dict[str, Any]:
    """A session of this one batch; `session_id` is a positive 64-bit number, unique per account."""
    digest = hashlib.sha256(f"{batch.sync_id}/{batch.batch_id}".encode()).hexdigest()
    return {
        "session_id": int(digest[:13], 16) + 1,
        "batch_seq": 1,
        "last_batch_flag": True,
        "estimated_num_total": len(batch.rows),
    }


def _refusal(status: int, error: Mapping[str, Any]) -> Outcome:
    """`unanswered` for a fault that passes; raises for all others."""
    code = int(error.get("code") or 0)
    words = redact(str(error.get("error_user_msg") or error.get("message") or ""))[:500]
    if code in _PASSING or error.get("is_transient"):
        return Outcome("unanswered", str(code), words)
    if code in _TOKEN or status in (401, 403):
        raise ConfigError(
            f"Meta refuses the access token: {words}",
            key="META_ACCESS_TOKEN",
            fix="a system user's token with ads_management on the audience's ad account",
        )
    if status == 404 or code == 803 or error.get("error_subcode") in (33, _BLOCKED):
        raise ConfigError(
            f"Meta refuses the audience of this sync: {words}",
            fix="check the audience id in the environment variable that `remote.audience` names",
        )
    raise BatchRejectedError(str(code or status), words)
