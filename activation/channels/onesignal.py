"""OneSignal: a push notification to a user's devices, found by External ID (the shop's user id).

Needs ONESIGNAL_API_KEY (the app's), and ONESIGNAL_API_URL outside prod. `remote.app` is the app id.
`POST /notifications?c=push` with `include_aliases`, `target_channel` and texts in `en`, which the
platform takes for everybody (https://documentation.onesignal.com/reference/push-notification).
One call a row, though a call may name thousands: texts are personal, an answer then speaks of one
person, and `idempotency_key`, a UUID made from the row's id, stays the same however rows are cut
into batches. "As long as the idempotency_key remains the same, the operation will only be processed
once", for 30 days (https://documentation.onesignal.com/reference/idempotent-notification-requests);
150 calls a second are allowed and more. 200 with an empty id: nobody is subscribed, nothing was
sent. With an id, `errors.invalid_aliases` names users who switched some device off; another took it
(https://github.com/OneSignal/onesignal-node-api/issues/82).
Not polled: the platform answers one such question a second (reference/rate-limits).
"""

import re
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, ClassVar

from activation.channels.base import Batch, Channel, Outcome, require_permitted
from activation.channels.capabilities import Capabilities
from activation.channels.http import JsonClient
from activation.channels.sending import masked
from activation.channels.variables import platform_address, require_variable
from activation.consent import PermittedRow
from khach.environment import Environment
from khach.errors import BusyError, ConfigError

_CONNECTIONS = 10
# Never to be changed: the keys of messages already sent derive from it.
_KEYS = uuid.UUID("0f8f4d0e-6c52-4f3e-9a55-3b1c5d7a2e41")


class OneSignal(Channel):
    """Push messages of one app."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        consent_channel="push",
        kinds=frozenset({"message"}),
        remote={"app": "variable"},
        field_name=re.compile("title|body"),
        required_fields=frozenset({"body"}),
        remote_id_sql="identifier_hash",
        batch_size=200,
        is_idempotent=True,
        remembers_for=timedelta(days=30),
    )

    def __init__(self, env: Environment, remote: Mapping[str, str]) -> None:
        key = require_variable("ONESIGNAL_API_KEY", "channel onesignal")
        address = platform_address(env, "ONESIGNAL_API_URL", "https://api.onesignal.com")
        self._client = JsonClient(address, headers={"Authorization": f"Key {key}"})
        self._app = remote["app"]

    def send(self, batch: Batch[PermittedRow]) -> list[Outcome]:
        """POST each message; its handle is the notification's id. Repeating sends nothing twice.

        Raises BusyError when a message has no answer, ConfigError when key or app are refused: the
        batch is to be repeated. ValueError for a row without an id.
        """
        require_permitted(batch)
        if not all(row.row_id for row in batch.rows):
            raise ValueError("a push message needs a row id: its idempotency key derives from it")
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            return list(pool.map(self._send, batch.rows))

    def _send(self, row: PermittedRow) -> Outcome:
        body = {
            "app_id": self._app,
            "target_channel": "push",
            "include_aliases": {"external_id": [row.identifier]},
            "contents": {"en": row.fields["body"]},
            "idempotency_key": str(uuid.uuid5(_KEYS, row.row_id)),
        }
        if title := row.fields.get("title"):
            body["headings"] = {"en": title}
        status, answer = self._client.call("POST", "/notifications?c=push", body)
        words = masked(_words(answer), row)
        if status == 200 and answer.get("id"):
            return Outcome("acknowledged", handle=str(answer["id"]))
        if status == 200 and "id" in answer:
            return Outcome("rejected", "not_subscribed", words)
        if status == 200:
            raise BusyError("OneSignal's answer cannot be read", fix="try again later")
        _require_app(status, words)
        if status in (400, 422):
            return Outcome("rejected", str(status), words)
        return Outcome("unanswered", str(status), words)


def _words(answer: dict[str, Any]) -> str:
    """`errors` is a list of sentences, or an object with the ids they are about."""
    errors = answer.get("errors") or []
    return "; ".join(map(str, errors)) if isinstance(errors, (list, dict)) else str(errors)


def _require_app(status: int, words: str) -> None:
    if status in (401, 403):
        raise ConfigError("OneSignal refuses the API key", key="ONESIGNAL_API_KEY")
    if status == 404 or (status == 400 and "app_id" in words):
        raise ConfigError(
            "OneSignal does not know the app",
            key="remote.app",
            fix="set the variable that `remote.app` names to the app's id",
        )
