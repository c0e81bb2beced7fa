"""What a channel promises, and the shapes that pass between it and the rest of activation."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol
from urllib.parse import urlsplit

from activation.consent import PermittedRow, WithdrawalRow
from khach.environment import Environment
from khach.errors import ConfigError

VARIABLE = re.compile(r"[A-Z][A-Z0-9_]+")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Identifier:
    """Which customer column a channel needs, and what it accepts (an anchored regex)."""

    column: str
    identifier_type: str
    pattern: str


_PHONE = Identifier("phone_e164", "phone", r"^\+[1-9][0-9]{6,14}$")
IDENTIFIERS = {
    "email": Identifier("email", "email", r"^[^\s@]+@[^\s@.]+(\.[^\s@.]+)+$"),
    "sms": _PHONE,
    "zalo": _PHONE,
}


@dataclass(frozen=True)
class Capabilities:
    """What a channel can do, declared so that a wrong sync is refused before anything runs.

    `remote` maps each key of a sync's `remote` to what it must be: `variable` (the name of an
    environment variable) or the allowed texts (empty: any text). `remote_id_sql` derives the
    channel's own member key from the column `identifier`.
    """

    consent_channel: str | None
    modes: frozenset[str]
    remote: Mapping[str, Literal["variable"] | tuple[str, ...]]
    field_name: re.Pattern[str]
    remote_id_sql: str
    batch_size: int
    is_whole_file: bool = False
    can_suppress: bool = False


@dataclass(frozen=True)
class Outcome:
    """What the channel said about one row; `message` already has identifiers masked."""

    status: Literal["acknowledged", "rejected", "dropped", "unanswered"]
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class RemoteMember:
    """A member as the channel holds it now; `is_member`: in this very list and tag."""

    is_held: bool
    is_member: bool
    is_reachable: bool


class MemberChannel(Protocol):
    """A channel that answers row by row; every answer is in the order of the rows given."""

    capabilities: ClassVar[Capabilities]

    def prepare(self, fields: Sequence[str]) -> None:
        """Make sure the destination exists and knows the fields; ConfigError when it cannot."""

    def upsert(self, rows: Sequence[PermittedRow]) -> list[Outcome]:
        """Add or update members; repeating changes nothing more."""

    def remove(self, rows: Sequence[WithdrawalRow]) -> list[Outcome]:
        """End the membership of members that we added; they stay contacts of the platform."""

    def suppress(self, rows: Sequence[WithdrawalRow]) -> list[Outcome]:
        """Stop all sends; outcome codes: unsubscribed, already, not_held."""

    def read_back(self, rows: Sequence[WithdrawalRow]) -> list[RemoteMember]:
        """What the channel holds now, for settling an interrupted batch."""


class FileChannel(Protocol):
    """A channel whose every delivery is the whole list of current members."""

    capabilities: ClassVar[Capabilities]

    def replace(
        self, rows: Sequence[PermittedRow], fields: Sequence[str], sync_id: str, plan_id: str
    ) -> None:
        """Put the new list in the place of the old one, at once or not at all."""

    def holds(self, sync_id: str, plan_id: str) -> bool:
        """Whether the list that stands there now is that plan's, complete."""


Channel = MemberChannel | FileChannel


def resolve_remote(
    capabilities: Capabilities, remote: Mapping[str, str], sync_id: str
) -> dict[str, str]:
    """The remote with variables replaced by their values, read late.

    Raises ConfigError naming the variable that is not set.
    """
    values = {}
    for key, value in remote.items():
        if capabilities.remote[key] == "variable":
            values[key] = require_variable(value, f"sync {sync_id}")
        else:
            values[key] = value
    return values


def require_variable(name: str, needed_by: str) -> str:
    """The value of an environment variable; ConfigError when it is absent or empty."""
    if value := os.environ.get(name):
        return value
    raise ConfigError(
        f"the environment variable {name} is not set; {needed_by} needs it",
        key=name,
        fix=f"export {name}=..., or start the sandbox (`khach sandbox start`), which sets it",
    )


def require_allowed_address(env: Environment, url: str, variable: str) -> None:
    """Refuse an address that this environment must not call (DESIGN decision 16).

    Outside prod only loopback servers are ever called; prod never sends over plain http.
    """
    parts = urlsplit(url)
    if parts.hostname in _LOOPBACK:
        return
    if env.name != "prod":
        raise ConfigError(
            f"{variable} is no loopback address, and KHACH_ENV={env.name} calls the sandbox only",
            key=variable,
            fix="use the sandbox's address, or set KHACH_ENV=prod to reach real platforms",
        )
    if parts.scheme != "https":
        raise ConfigError(f"{variable} must begin with https://", key=variable)
