"""Rows of lists as the core builds them."""

import hashlib
from collections.abc import Mapping
from typing import Any

from activation.channels.base import Batch
from activation.consent import Consent, PermittedRow, WithdrawalRow, permit, withdraw


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def permitted(
    identifier: str, remote_id: str, fields: Mapping[str, str] | None = None, *, channel: str
) -> PermittedRow:
    """A row about the customer of an identifier, with a consent of its own."""
    customer_id = f"c-{sha256(identifier)[:8]}"
    consent = Consent(f"consent-{customer_id}", customer_id, channel, "marketing", True)
    return permit(
        consent, customer_id=customer_id, channel=channel, purpose="marketing",
        identifier=identifier, remote_id=remote_id, fields=fields or {}, row_id=customer_id,
    )  # fmt: skip


def batch(*rows: Any, number: int = 1) -> Batch[Any]:
    return Batch(f"p1-b{number}", "p1", "s1", rows)


def leaving(remote_id: str, identifier: str | None = None) -> WithdrawalRow:
    return withdraw(remote_id, remote_id, identifier)
