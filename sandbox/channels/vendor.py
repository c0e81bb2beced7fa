"""What a simulated platform is made of: a `Vendor`, and operations from Exchange to Answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from sqlite3 import Connection
from typing import Any
from urllib.parse import parse_qsl

from sandbox.channels import store
from sandbox.channels.store import Fault


@dataclass(frozen=True)
class Answer:
    """Status, JSON body and headers of an answer."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class RefusalError(Exception):
    """Ends an operation with an answer; what it did is taken back."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.status))
        self.answer = answer


@dataclass(frozen=True)
class Exchange:
    """A request under way. Header names are in lower case; `keys` are the sandbox's secrets.

    `is_lifelike`: a retailer is simulated here, so some of its people are hard to reach.
    """

    connection: Connection
    vendor: str
    request_id: str
    keys: Mapping[str, str]
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    now: datetime
    is_lifelike: bool = False
    fault: Fault | None = None

    def form(self) -> dict[str, str]:
        """The fields of a form."""
        return dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))

    def document(self) -> dict[str, Any]:
        """The JSON object of the body; empty when it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def fate(self, recipient: str, per_mille: Mapping[str, int]) -> str:
        """What becomes of messages to somebody: decided by a test, else drawn by the shares."""
        return fate_of(
            self.connection, self.vendor, recipient, per_mille if self.is_lifelike else {}
        )

    def log(self, kind: str, *, recipient: str, reference: str, content: Any = None) -> str:
        """Record an effect; its new id."""
        return store.log_effect(
            self.connection, self.request_id, self.vendor, kind,
            recipient=recipient, reference=reference, content=content, happened_at=self.now,
        )  # fmt: skip

    def asked(self, effect_id: str) -> dict[str, Any] | None:
        """An effect by id, counting how often it was asked for; None when there is no such."""
        self.connection.execute(
            "update effects set asked = asked + 1 where vendor = ? and effect_id = ?",
            (self.vendor, effect_id),
        )
        row = self.connection.execute(
            "select * from effects where vendor = ? and effect_id = ?", (self.vendor, effect_id)
        ).fetchone()
        return {**dict(row), "content": json.loads(row["content"])} if row else None

    def reply(self, reference: str) -> Answer | None:
        """The answer that was remembered under an idempotency key."""
        row = self.connection.execute(
            "select status, body from replies where vendor = ? and reference = ?",
            (self.vendor, reference),
        ).fetchone()
        return Answer(row["status"], json.loads(row["body"])) if row else None

    def remember(self, reference: str, answer: Answer) -> Answer:
        """Keep an answer under an idempotency key."""
        self.connection.execute(
            "insert into replies values (?, ?, ?, ?)",
            (self.vendor, reference, answer.status, json.dumps(answer.body)),
        )
        return answer


Operation = Callable[[Exchange], Answer]


def fate_of(
    connection: Connection, vendor: str, recipient: str, per_mille: Mapping[str, int]
) -> str:
    """A recipient's fate at a platform: decided by a test, else drawn by the shares."""
    row = connection.execute(
        "select fate from fates where vendor = ? and recipient = ?", (vendor, recipient)
    ).fetchone()
    if row:
        return str(row["fate"])
    drawn = int.from_bytes(sha256(f"{vendor} {recipient}".encode()).digest()[:4]) % 1000
    for fate, share in per_mille.items():
        if drawn < share:
            return fate
        drawn -= share
    return "fine"


@dataclass(frozen=True)
class Vendor:
    """One platform, mounted under `/<name>`.

    `channels`: the names by which audience files call it. `operations`: (method, path) to
    operation. `new_keys` draws the sandbox's own secrets; `variables` gives what an operator would
    set, from the platform's address and the keys. More than `at_once` requests in flight, or
    `per_second` requests in a second, are answered with `too_many`.
    """

    name: str
    channels: tuple[str, ...]
    operations: Mapping[tuple[str, str], Operation]
    new_keys: Callable[[], dict[str, str]]
    variables: Callable[[str, Mapping[str, str]], dict[str, str]]
    too_many: Callable[[], Answer]
    at_once: int = 1000
    per_second: int = 10_000
