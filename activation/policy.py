"""policy.yml: what holds for every audience, whatever its own file says.

The defaults follow Viet Nam's Decree 91/2020 on advertising messages, e-mails and calls: hours,
the number per recipient and day, the label, the way to refuse. Laws change: check the current one.
"""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

import pyarrow as pa
from pydantic import Field

from activation.suppression_list import read_suppressions
from khach.config_files import parse, read_yaml
from khach.environment import Environment
from khach.settings import Section, load_settings

Contact = Literal["email", "sms", "zalo", "phone", "push"]
Window = Annotated[
    str,
    Field(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
        examples=["07:00-22:00"],
    ),
]
ADVERTISING_PURPOSES = ("marketing", "advertising")
_DAY = "07:00-22:00"


class Cap(Section):
    """At most so many messages to one recipient, over these channels together."""

    channels: Annotated[tuple[Contact, ...], Field(min_length=1)]
    """Channels whose messages are counted together."""
    at_most: Annotated[int, Field(ge=0)]
    """So many messages one recipient may get in that time."""
    per_hours: Annotated[int, Field(ge=1, le=24 * 366)] = 24
    """Hours before a message that are looked back at."""


class Label(Section):
    """What an advertising text must begin with and tell; added where it is missing, or refused."""

    label: str
    """What an advertising text begins with."""
    opt_out: str
    """How to refuse, at the text's end."""
    when_missing: Literal["add", "refuse"] = "add"
    """Whether a text without them gets them, or is refused."""


class Seed(Section):
    """Own staff who receive every send, outside the counts, and have agreed to it."""

    name: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$", examples=["lan"])]
    """How receipts name this person; stands once."""
    agreed_on: date
    """The day on which this person agreed to it."""
    email: str | None = None
    """The e-mail address for channels that need one."""
    phone: str | None = None
    """The telephone number, for texts, Zalo and calls."""
    user_id: str | None = None
    """The account by which push messages find this person."""


class ZaloTemplate(Section):
    """An approved template of the official account: its parameters and its tag."""

    fields: tuple[str, ...]
    """The template's parameters, as they were approved."""
    tag: Literal["transaction", "care", "promotion"]
    """The tag under which Zalo approved it."""


class PolicyFile(Section):
    """The keys of policy.yml."""

    suppression_list: str | None = None
    """A CSV beside this file: people and numbers that nobody may contact."""
    seeds: tuple[Seed, ...] = ()
    """Own staff who are in every send and in no count."""
    send_windows: dict[Contact, Window] = Field(
        default={"sms": _DAY, "zalo": _DAY, "push": _DAY, "phone": "08:00-17:00"}
    )
    """Hours of the business time zone in which messages may go out."""
    caps: tuple[Cap, ...] = (
        Cap(channels=("sms",), at_most=3),
        Cap(channels=("email",), at_most=3),
        Cap(channels=("phone",), at_most=1),
    )
    """At most so many contacts to one recipient; every one that the business began counts."""
    advertising: dict[Contact, Label] = Field(
        default={"sms": Label(label="[QC] ", opt_out=" Từ chối nhận: soạn TC")}
    )
    """What a channel's advertising texts begin with and tell."""
    fallbacks: dict[str, str] = Field(default={"salutation_name": "bạn"})
    """Column to what stands in a text where a customer has no value; `{column|text}` goes first."""
    zalo_templates: dict[str, ZaloTemplate] = Field(default_factory=dict)
    """The variable that holds an approved template's id, to what the template takes."""


@dataclass(frozen=True)
class Policy:
    """The policy in force. `suppressions`: Arrow table channel, identifier_hash (SHA-256)."""

    minimum_age: int
    rules: PolicyFile
    suppressions: pa.Table


def load_policy(env: Environment) -> Policy:
    """Read policy.yml and the suppression list it names; the minimum age is in settings.yml.

    Raises ConfigError with file, line and key; an absent or unreadable suppression list is an
    error, never an empty list.
    """
    settings = load_settings(env)
    file = read_yaml(env.config / "policy.yml")
    rules = parse(file, PolicyFile)
    path = env.config / rules.suppression_list if rules.suppression_list else None
    if path is not None and not path.is_file():
        raise file.error(
            f"the suppression list {rules.suppression_list} does not exist",
            ("suppression_list",),
            fix="put the file beside policy.yml, or write null",
        )
    names = [seed.name for seed in rules.seeds]
    if len(names) > len(set(names)):
        raise file.error("a seed's name stands twice", ("seeds",))
    suppressions = read_suppressions(path, settings.default_country)
    return Policy(settings.minimum_age, rules, suppressions)
