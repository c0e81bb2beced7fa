"""Twilio Messages, API 2010-04-01: one SMS a call.

Needs TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN; TWILIO_API_URL outside prod. A sender `MG...` is a
messaging service, anything else a number or name of the account.
There is no idempotency key: a call repeated after a time-out can send twice, so it never is; 429
(code 20429) "isn't processed and safe to retry" (https://www.twilio.com/docs/api/errors/20429).
201 says accepted; delivery is asked for later: accepted, queued, sending, sent, then delivered,
undelivered or failed (https://www.twilio.com/docs/messaging/api/message-resource). Refusals are 400
with a code: 21211 no valid number, 21610 the recipient answered STOP.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from activation.channels.base import Batch, Channel, Outcome
from activation.channels.capabilities import Capabilities
from activation.channels.http import JsonClient
from activation.channels.sending import Sender, masked
from activation.channels.variables import platform_address, require_variable
from activation.consent import PermittedRow
from khach.environment import Environment
from khach.errors import ConfigError
from khach.redact import redact

_CONNECTIONS = 10
_DELIVERED = ("delivered", "read", "partially_delivered")
_FAILED = ("failed", "undelivered", "canceled")
# No sender, an unknown one, a messaging service that is unknown or has no number: nobody's fault
# but the configuration's, so nobody is refused for it.
_SENDER_IS_WRONG = (21212, 21603, 21606, 21701, 21703)
_NO_MESSAGE = "SM" + "0" * 32


class Twilio(Channel):
    """Messages from one sender."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        consent_channel="sms",
        kinds=frozenset({"message"}),
        remote={"sender": "variable"},
        field_name=re.compile("body"),
        required_fields=frozenset({"body"}),
        remote_id_sql="identifier_hash",
        # Few: those of a batch that was interrupted are all in doubt.
        batch_size=20,
        is_polled=True,
    )

    def __init__(self, env: Environment, remote: Mapping[str, str]) -> None:
        account = require_variable("TWILIO_ACCOUNT_SID", "channel twilio")
        token = require_variable("TWILIO_AUTH_TOKEN", "channel twilio")
        address = platform_address(env, "TWILIO_API_URL", "https://api.twilio.com")
        self._client = JsonClient(address, auth=(account, token))
        self._messages = f"/2010-04-01/Accounts/{account}/Messages"
        self._sender = remote["sender"]
        self._sending = Sender(_CONNECTIONS)

    def prepare(self, fields: Sequence[str]) -> None:
        """Make sure that the account takes the token, by asking for a message that is none."""
        del fields
        status, _ = self._client.call("GET", f"{self._messages}/{_NO_MESSAGE}.json")
        _require_account(status)

    def send(self, batch: Batch[PermittedRow]) -> list[Outcome]:
        """POST each message once; its handle is the message's SID."""
        return self._sending.send(batch, self._send)

    def poll(self, handles: Sequence[str]) -> list[Outcome]:
        """The state of each message by SID; unknown when Twilio does not have it any more."""
        return self._sending.ask(handles, self._poll)

    def _send(self, row: PermittedRow) -> Outcome:
        sender = "MessagingServiceSid" if self._sender.startswith("MG") else "From"
        form = {"To": row.identifier, sender: self._sender, "Body": row.fields["body"]}
        path = f"{self._messages}.json"
        status, answer = self._client.call("POST", path, data=form, is_repeatable=False)
        if status in (200, 201):
            return Outcome("acknowledged", handle=answer.get("sid"))
        return _refusal(status, answer, row)

    def _poll(self, handle: str) -> Outcome:
        status, answer = self._client.call("GET", f"{self._messages}/{handle}.json")
        if status == 404:
            return Outcome("unknown", "not_held", "Twilio does not hold the message", handle)
        _require_account(status)
        state = str(answer.get("status"))
        if state in _DELIVERED:
            return Outcome("delivered", state, handle=handle)
        if state in _FAILED:
            words = redact(str(answer.get("error_message") or state))
            return Outcome("failed", str(answer.get("error_code") or state), words, handle)
        return Outcome("submitted", state, handle=handle)


def _refusal(status: int, answer: dict[str, Any], row: PermittedRow) -> Outcome:
    code, words = answer.get("code", status), masked(answer.get("message"), row)
    if status in (401, 403, 404) or code in _SENDER_IS_WRONG:
        return Outcome("unanswered", str(code), words)
    return Outcome("rejected" if 400 <= status < 500 else "unknown", str(code), words)


def _require_account(status: int) -> None:
    if status in (401, 403):
        raise ConfigError(
            "Twilio refuses the account's token",
            key="TWILIO_AUTH_TOKEN",
            fix="check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN",
        )
