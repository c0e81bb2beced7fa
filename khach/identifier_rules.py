"""identity.yml, `identifiers` and `matching`: what links people, and how much one may have."""

from typing import Annotated

from pydantic import Field

from khach.settings import Section

Strength = Annotated[
    int,
    Field(ge=1, le=100, description="Of two links that cannot both be, the one of more is made."),
]
Share = Annotated[float, Field(ge=0, le=1)]
PerPerson = Annotated[
    Annotated[int, Field(ge=1)] | None,
    Field(description="How many one person may have (account numbers: in one namespace)."),
]
Holders = Annotated[
    Annotated[int, Field(ge=1)] | None,
    Field(description="A value of more accounts (a device of more people) says nothing by itself."),
]


class IdentifierRule(Section):
    """One type of identifier."""

    strength: Strength
    per_person: PerPerson = None
    holders: Holders = None


class Account(IdentifierRule):
    """A web account; people open a second one."""

    strength: Strength = 100
    per_person: PerPerson = 3


class Member(Account):
    """A member number: one person has one."""

    per_person: PerPerson = 1


class ExternalId(IdentifierRule):
    """Whatever else a source numbers people by."""

    strength: Strength = 90


class Email(IdentifierRule):
    """An e-mail address; families share some."""

    strength: Strength = 80
    per_person: PerPerson = 5
    holders: Holders = 2


class Phone(IdentifierRule):
    """A telephone number; families share some."""

    strength: Strength = 70
    per_person: PerPerson = 5
    holders: Holders = 1


class Device(IdentifierRule):
    """A browser or a device: it links its visits, never persons.

    One that several people use is theirs by turns, as far as `window_days` from a log-in; one of
    more than `holders` people (a shop's tablet) is nobody's beside their own visits.
    """

    strength: Strength = 20
    holders: Holders = 4
    window_days: Annotated[int, Field(ge=1)] = 30
    """So many days from a log-in a device of several people is that person's."""


class Identifiers(Section):
    """The types of `docs/marts.md`."""

    user_id: Account = Account()
    member_number: Member = Member()
    external_id: ExternalId = ExternalId()
    email: Email = Email()
    phone: Phone = Phone()
    anonymous_id: Device = Device()
    """A browser: it links its visits, never persons."""
    device_id: Device = Device()
    """A device: it links its visits, never persons."""


class Matching(Section):
    """Links by likeness, for records that share no exact identifier."""

    enabled: bool = True
    """Whether links are made by likeness at all."""
    link_at: Share = 0.7
    """Pairs of at least this probability are one person."""
    review_at: Share = 0.5
    """From this probability on `khach identity review` asks about a pair."""
    duplicate_free: tuple[str, ...] = ()
    """Sources that have one record of a person: it is given one at most."""
    leave_out: tuple[str, ...] = ()
    """Columns of a record that are not compared."""
