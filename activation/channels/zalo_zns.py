"""Zalo Notification Service: one message a call, after a template that Zalo approved.

Needs ZALO_ACCESS_TOKEN (of the Official Account; it lives for about a day, so something must renew
it) and ZALO_API_URL outside prod. The phone is `84...` digits, the fields are the template's
parameters (https://developers.zalo.me/docs/zalo-notification-service/gui-tin-zns/gui-zns).
Every answer is HTTP 200: `error` other than 0 is a refusal
(https://zalo.cloud/zns/guidelines/handle-error-code). `tracking_id` is an echo and prevents
nothing, so no call is repeated. Success is not delivery: `GET /message/status` says -1 no such
message, 0 with Zalo, 1 on the phone.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from activation.channels.base import Batch, Channel, Mistake, Outcome
from activation.channels.capabilities import Capabilities
from activation.channels.http import JsonClient
from activation.channels.sending import Sender, masked
from activation.channels.variables import platform_address, require_variable
from activation.consent import PermittedRow
from activation.policy import ADVERTISING_PURPOSES, PolicyFile
from khach.config_mistakes import suggest
from khach.environment import Environment
from khach.errors import ConfigError

_CONNECTIONS = 10
_TOKEN_IS_WRONG, _TEMPLATE_IS_WRONG = -124, -109
# Nothing was sent, and nobody's number is to blame: token, rights, template, money, daily quotas.
_NOT_NOW = frozenset({
    _TOKEN_IS_WRONG, _TEMPLATE_IS_WRONG, -101, -102, -103, -104, -105, -106, -115, -117, -125, -126,
    -131, -135, -138, -144, -1441, -147, -1471, -1472,
})  # fmt: skip
# "Unknown error, try again later": it does not say that nothing was sent.
_IN_DOUBT = frozenset({-100})


class ZaloZns(Channel):
    """Messages after one template."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        consent_channel="zalo",
        kinds=frozenset({"message"}),
        remote={"template": "variable"},
        field_name=re.compile(r"[A-Za-z][A-Za-z0-9_]*"),
        remote_id_sql="identifier_hash",
        # Few: those of a batch that was interrupted are all in doubt.
        batch_size=20,
        is_polled=True,
    )

    def __init__(self, env: Environment, remote: Mapping[str, str]) -> None:
        token = require_variable("ZALO_ACCESS_TOKEN", "channel zalo_zns")
        address = platform_address(env, "ZALO_API_URL", "https://business.openapi.zalo.me")
        self._client = JsonClient(address, headers={"access_token": token})
        self._template = remote["template"]
        self._sending = Sender(_CONNECTIONS)

    @classmethod
    def mistake(
        cls, remote: Mapping[str, str], fields: Mapping[str, str], purpose: str, policy: PolicyFile
    ) -> Mistake | None:
        """Only approved templates, with exactly their parameters; promotion needs its tag."""
        name = remote["template"]
        template = policy.zalo_templates.get(name)
        if template is None:
            return Mistake(
                f"the template behind {name} is not declared", ("remote", "template"),
                f"zalo_templates: {{{name}: {{fields: [...], tag: promotion}}}} in policy.yml",
            )  # fmt: skip
        for field in fields:
            if field not in template.fields:
                words = f"the template has no parameter {field!r}"
                return Mistake(words, ("fields", field), suggest(field, list(template.fields)))
        for field in template.fields:
            if field not in fields:
                return Mistake(f"the template's parameter {field!r} is missing", ("fields",))
        if purpose in ADVERTISING_PURPOSES and template.tag != "promotion":
            return Mistake(
                f"a {template.tag} template must not carry {purpose}", ("remote", "template"),
                "a template with the tag promotion",
            )  # fmt: skip
        return None

    def prepare(self, fields: Sequence[str]) -> None:
        """Make sure that Zalo takes the token, and has the template enabled with these parameters.

        Only what Zalo clearly denies stops a sync here; each message is judged again when sent.
        """
        status, answer = self._client.call(
            "GET", "/template/info/v2", params={"template_id": self._template}
        )
        error = answer.get("error")
        if status in (401, 403) or error == _TOKEN_IS_WRONG:
            raise ConfigError("Zalo refuses the access token", key="ZALO_ACCESS_TOKEN")
        if error == _TEMPLATE_IS_WRONG:
            raise ConfigError(
                "Zalo does not know the template",
                key="remote.template",
                fix="set the variable that `remote.template` names to the template's id",
            )
        if error == 0:
            _require_parameters(answer.get("data") or {}, fields)

    def send(self, batch: Batch[PermittedRow]) -> list[Outcome]:
        """POST each message once; its handle is Zalo's message id."""
        return self._sending.send(batch, self._send)

    def poll(self, handles: Sequence[str]) -> list[Outcome]:
        """What became of each message; unknown when Zalo does not have it."""
        return self._sending.ask(handles, self._poll)

    def _send(self, row: PermittedRow) -> Outcome:
        body = {
            "phone": row.identifier.removeprefix("+"),
            "template_id": self._template,
            "template_data": dict(row.fields),
            "tracking_id": row.row_id,
        }
        status, answer = self._client.call("POST", "/message/template", body, is_repeatable=False)
        error, words = answer.get("error"), masked(answer.get("message"), row)
        if 400 <= status < 500 or error in _NOT_NOW:
            return Outcome("unanswered", str(error or status), words)
        if status != 200 or error is None or error in _IN_DOUBT:
            return Outcome("unknown", str(error or status), words)
        if error != 0:
            return Outcome("rejected", str(error), words)
        return Outcome("acknowledged", handle=(answer.get("data") or {}).get("msg_id"))

    def _poll(self, handle: str) -> Outcome:
        _, answer = self._client.call("GET", "/message/status", params={"message_id": handle})
        if answer.get("error") == _TOKEN_IS_WRONG:
            raise ConfigError("Zalo refuses the access token", key="ZALO_ACCESS_TOKEN")
        state = (answer.get("data") or {}).get("status")
        if state == 1:
            return Outcome("delivered", handle=handle)
        if state == -1:
            return Outcome("unknown", "not_held", "Zalo does not hold the message", handle)
        return Outcome("submitted", handle=handle)


def _require_parameters(template: dict[str, Any], fields: Sequence[str]) -> None:
    state = template.get("status")
    if state is not None and state != "ENABLE":
        raise ConfigError(f"Zalo has the template as {state}", key="remote.template")
    parameters = {str(one.get("name")): one for one in template.get("listParams") or []}
    missing = {name for name, one in parameters.items() if one.get("require")} - set(fields)
    strange = set(fields) - parameters.keys() if parameters else set()
    if missing or strange:
        named = ", ".join(sorted(missing | strange))
        raise ConfigError(
            f"the template's parameters and the sync's fields differ: {named}",
            key="fields",
            fix=f"the template has {', '.join(sorted(parameters))}",
        )
