"""identity.yml, `identifiers` and `matching`: what links people, and how much one may have."""

from typing import Annotated

from pydantic import Field

from khach.settings import Section

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class IdentifierRule(Section):
    """One type of identifier.

    `strength` (1 to 100): of two links that cannot both be, the stronger is made. `per_person`:
    how many one person may have (account numbers: in one namespace). `holders`: from more accounts
    than that on, a value says nothing of itself, only together with a name.
    """

    strength: Annotated[int, Field(ge=1, le=100)]
    per_person: Count | None = None
    holders: Count | None = None


class Account(IdentifierRule):
    """A web account; people open a second one."""

    strength: Annotated[int, Field(ge=1, le=100)] = 100
    per_person: Count | None = 3


class Member(Account):
    """A member number: one person has one."""

    per_person: Count | None = 1


class ExternalId(IdentifierRule):
    """Whatever else a source numbers people by."""

    strength: Annotated[int, Field(ge=1, le=100)] = 90


class Email(IdentifierRule):
    """An e-mail address."""

    strength: Annotated[int, Field(ge=1, le=100)] = 80
    per_person: Count | None = 5
    holders: Count | None = 2


class Phone(IdentifierRule):
    """A telephone number."""

    strength: Annotated[int, Field(ge=1, le=100)] = 70
    per_person: Count | None = 5
    holders: Count | None = 1


class Device(IdentifierRule):
    """A browser or a device: it links its visits, never persons.

    One that several people use is theirs by turns, as far as `window_days` from a log-in; one of
    more than `holders` people (a shop's tablet) is nobody's beside their own visits.
    """

    strength: Annotated[int, Field(ge=1, le=100)] = 20
    holders: Count | None = 4
    window_days: Count = 30


class Identifiers(Section):
    """The types of `docs/marts.md`."""

    user_id: Account = Account()
    member_number: Member = Member()
    external_id: ExternalId = ExternalId()
    email: Email = Email()
    phone: Phone = Phone()
    anonymous_id: Device = Device()
    device_id: Device = Device()


class Matching(Section):
    """Links by likeness, for records that share no exact identifier.

    Pairs at least as probable as `link_at` are linked, those from `review_at` on are asked about.
    A source in `duplicate_free` has one record of a person: it is given one at most.
    """

    enabled: bool = True
    link_at: Share = 0.7
    review_at: Share = 0.5
    duplicate_free: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
