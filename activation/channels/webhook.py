"""Anybody's receiver: signed batches in the wire format of docs/sync.md.

`remote.url` and `remote.secret` name the variables with the address and the shared secret. A batch
has the same bytes whenever it is sent again, and its id as `Idempotency-Key`; a receiver answers a
repeated id with 409, so that time-outs and 5xx are simply repeated. What a receiver says of single
rows counts; a row that it does not mention is `unknown`.
"""

import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

from activation.channels.base import (
    Batch,
    BatchRejectedError,
    Channel,
    Outcome,
    Row,
    require_permitted,
)
from activation.channels.capabilities import Capabilities
from activation.channels.http import JsonClient
from activation.channels.sending import masked
from activation.channels.variables import require_allowed_address
from activation.consent import PermittedRow, WithdrawalRow
from khach.environment import Environment
from khach.errors import ConfigError


class Webhook(Channel):
    """One address that takes batches."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        consent_channel=None,
        kinds=frozenset({"membership", "message"}),
        remote={"url": "variable", "secret": "variable"},
        no_place=frozenset({"secret"}),
        field_name=re.compile(r"[A-Za-z_][A-Za-z0-9_]*"),
        remote_id_sql="customer_id",
        batch_size=500,
        is_told_sync=True,
        can_suppress=True,
        is_idempotent=True,
    )

    def __init__(self, env: Environment, remote: Mapping[str, str]) -> None:
        require_allowed_address(env, remote["url"], "remote.url")
        parts = urlsplit(remote["url"])
        self._path = parts.path + (f"?{parts.query}" if parts.query else "")
        self._client = JsonClient(f"{parts.scheme}://{parts.netloc}")
        self._secret = remote["secret"].encode()

    def upsert(self, batch: Batch[PermittedRow]) -> list[Outcome]:
        """`add`, or `update` where the batch says that the receiver knows the row."""
        require_permitted(batch)
        rows = [
            _permitted(row, "update" if _row_id(row) in batch.known else "add")
            for row in batch.rows
        ]
        return self._told(batch, rows)

    def remove(self, batch: Batch[WithdrawalRow]) -> list[Outcome]:
        """`remove`: the customer left the audience."""
        return self._told(batch, [_withdrawn(row, "remove") for row in batch.rows])

    def suppress(self, batch: Batch[WithdrawalRow]) -> list[Outcome]:
        """`suppress`: no contact any more; the receiver may say `already` or `not_held`."""
        outcomes = self._told(batch, [_withdrawn(row, "suppress") for row in batch.rows])
        return [
            Outcome("acknowledged", one.code or "unsubscribed", one.message)
            if one.status == "acknowledged"
            else one
            for one in outcomes
        ]

    def send(self, batch: Batch[PermittedRow]) -> list[Outcome]:
        """`message`: the receiver sends it. BusyError without an answer: the batch is repeated."""
        require_permitted(batch)
        return self._told(batch, [_permitted(row, "message") for row in batch.rows])

    def _told(self, batch: Batch[Row], rows: Sequence[dict[str, Any]]) -> list[Outcome]:
        """Raises BatchRejectedError for 4xx, ConfigError when the signature is refused."""
        status, answer = self._post(batch, rows)
        if status in (401, 403):
            raise ConfigError(
                "the receiver refuses the signature",
                key="remote.secret",
                fix="give both sides the same secret",
            )
        is_repeated = status == 409 and answer.get("batch_id", batch.batch_id) == batch.batch_id
        if not (is_repeated or 200 <= status < 300):
            words = answer.get("message") or answer.get("error") or f"answer {status}"
            raise BatchRejectedError(str(status), masked(words, *batch.rows))
        results = _results(answer)
        silent = Outcome("unknown", "no_result", "the receiver says nothing of this row")
        if is_repeated:
            silent = Outcome("acknowledged")
        return [_outcome(results.get(_row_id(row)), row, silent) for row in batch.rows]

    def _post(
        self, batch: Batch[Row], rows: Sequence[dict[str, Any]]
    ) -> tuple[int, dict[str, Any]]:
        names = {"sync_id": batch.sync_id, "plan_id": batch.plan_id, "batch_id": batch.batch_id}
        document = json.dumps({**names, "rows": rows}, ensure_ascii=False, separators=(",", ":"))
        raw, now = document.encode(), str(int(time.time()))
        signature = hmac.new(self._secret, now.encode() + b"." + raw, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": batch.batch_id,
            "X-Khach-Timestamp": now,
            "X-Khach-Signature": f"v1={signature}",
        }
        return self._client.call("POST", self._path, data=raw, headers=headers)


def _permitted(row: PermittedRow, action: str) -> dict[str, Any]:
    fields = dict(sorted(row.fields.items()))
    return _wire(_row_id(row), action, row.consent.customer_id, fields)


def _withdrawn(row: WithdrawalRow, action: str) -> dict[str, Any]:
    return _wire(_row_id(row), action, row.remote_id, {})


def _wire(row_id: str, action: str, customer_id: str, fields: Mapping[str, str]) -> dict[str, Any]:
    return {"row_id": row_id, "action": action, "customer_id": customer_id, "fields": fields}


def _row_id(row: PermittedRow | WithdrawalRow) -> str:
    return row.row_id or row.remote_id


def _results(answer: dict[str, Any]) -> dict[str, dict[str, Any] | None]:
    """Results by row id; None where a receiver says two different things of one row."""
    found: dict[str, dict[str, Any] | None] = {}
    results = answer.get("results")
    for result in results if isinstance(results, list) else []:
        if isinstance(result, dict) and isinstance(result.get("row_id"), str):
            row_id = result["row_id"]
            agrees = row_id not in found or found[row_id] == result
            found[row_id] = result if agrees else None
    return found


def _outcome(
    result: dict[str, Any] | None, row: PermittedRow | WithdrawalRow, silent: Outcome
) -> Outcome:
    if result is None or result.get("status") not in ("ok", "rejected"):
        return silent
    code = masked(result.get("code"), row) or None
    words = masked(result.get("message"), row) or None
    if result["status"] == "ok":
        return Outcome("acknowledged", code, words)
    return Outcome("rejected", code or "rejected", words)
