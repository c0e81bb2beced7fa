"""Nothing leaves without permission: the only two row types that channels accept.

A `PermittedRow` cannot exist without a granted consent for the very person, channel and purpose;
a `WithdrawalRow` carries the channel's key of a member and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


class NotPermittedError(Exception):
    """A row was about to be sent without a consent that permits it. Carries no personal data."""


@dataclass(frozen=True)
class Consent:
    """One row of the mart `consents`: person x channel x purpose."""

    consent_id: str
    customer_id: str
    channel: str
    purpose: str
    is_granted: bool


@dataclass(frozen=True)
class PermittedRow:
    """What may be sent about one customer, and the consent that permits it."""

    consent: Consent
    identifier: str = field(repr=False)
    remote_id: str
    fields: Mapping[str, str] = field(repr=False)
    # Names this row, or this very message, for good: channels that can use it against doubles.
    row_id: str = ""

    def __post_init__(self) -> None:
        # Checked in the type itself, so that no other way to build a row can forget it.
        if self.consent.is_granted is not True or not self.consent.consent_id:
            raise NotPermittedError(f"customer {self.consent.customer_id}: consent is not granted")


@dataclass(frozen=True)
class WithdrawalRow:
    """Who leaves or must not be contacted: the channel's own key, and the identifier if known."""

    remote_id: str
    row_id: str = ""
    identifier: str | None = field(default=None, repr=False)


def permit(
    consent: Consent,
    *,
    customer_id: str,
    channel: str,
    purpose: str,
    identifier: str,
    remote_id: str,
    fields: Mapping[str, str],
    row_id: str = "",
) -> PermittedRow:
    """The only maker of rows for add, update and message.

    Raises NotPermittedError unless the consent is granted, and for exactly this customer, consent
    channel and purpose.
    """
    wanted = (customer_id, channel, purpose)
    if (consent.customer_id, consent.channel, consent.purpose) != wanted:
        raise NotPermittedError(f"customer {customer_id}: consent {consent.consent_id} is another")
    return PermittedRow(consent, identifier, remote_id, dict(fields), row_id)


def withdraw(remote_id: str, row_id: str = "", identifier: str | None = None) -> WithdrawalRow:
    """The only maker of rows for remove and suppress; needs no permission, carries no data."""
    return WithdrawalRow(remote_id, row_id, identifier)
