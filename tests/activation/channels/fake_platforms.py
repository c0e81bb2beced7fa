"""The sandbox's platforms as tests of channels use them, and rows to send."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activation.channels import CHANNELS
from activation.channels.base import Batch, Channel
from activation.consent import Consent, PermittedRow, permit
from khach.environment import Environment
from sandbox.channels import store


@dataclass
class Platforms:
    """The platforms' state since this test began; `variables` are set."""

    root: Path
    env: Environment
    variables: Mapping[str, str]
    first_effect: int
    first_request: int

    def effects(self, vendor: str) -> list[dict[str, Any]]:
        """What really happened."""
        return [one for one in store.effects(self.root, vendor) if one["seq"] > self.first_effect]

    def requests(self, vendor: str) -> list[dict[str, Any]]:
        """What arrived."""
        return [one for one in store.requests(self.root, vendor) if one["seq"] > self.first_request]

    def recipients(self, vendor: str) -> list[str]:
        """To whom something really went, in order of the alphabet."""
        return sorted(effect["recipient"] for effect in self.effects(vendor))

    def inject(self, vendor: str, kind: str, **how: Any) -> None:
        """Have the next requests go wrong."""
        store.inject(self.root, vendor, kind, **how)

    def channel(self, name: str, **remote: str) -> Channel:
        """A channel at its platform."""
        return CHANNELS[name](self.env, remote)

    def fate(self, vendor: str, recipient: str, fate: str) -> None:
        """Decide what becomes of messages to somebody."""
        store.set_fate(self.root, vendor, recipient, fate)


def number(n: int) -> str:
    """The n-th mobile number, E.164."""
    return f"+849{n:08d}"


def row(n: int, identifier: str, *, row_id: str | None = None, **fields: str) -> PermittedRow:
    """A permitted row of customer `c<n>`."""
    consent = Consent(f"k{n}", f"c{n}", "any", "marketing", True)
    return permit(
        consent,
        customer_id=f"c{n}",
        channel="any",
        purpose="marketing",
        identifier=identifier,
        remote_id=f"c{n}",
        fields=fields,
        row_id=f"row-{n}" if row_id is None else row_id,
    )


def batch(*rows: Any, batch_id: str = "p1-b1", known: tuple[str, ...] = ()) -> Batch[Any]:
    """Rows as a batch of plan `p1`."""
    return Batch(batch_id, "p1", "sync_one", rows, frozenset(known))
