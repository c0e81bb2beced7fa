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
    str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")
]
ADVERTISING_PURPOSES = ("marketing", "advertising")
_DAY = "07:00-22:00"


class Cap(Section):
    """At most so many messages to one recipient, over these channels together."""

    channels: Annotated[tuple[Contact, ...], Field(min_length=1)]
    at_most: Annotated[int, Field(ge=0)]
    per_hours: Annotated[int, Field(ge=1, le=24 * 366)] = 24


class Label(Section):
    """What an advertising text must begin with and tell; added where it is missing, or refused."""

    label: str
    opt_out: str
    when_missing: Literal["add", "refuse"] = "add"


class Seed(Section):
    """Own staff who receive every send, outside the counts, and have agreed to it."""

    name: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
    agreed_on: date
    email: str | None = None
    phone: str | None = None
    user_id: str | None = None


class ZaloTemplate(Section):
    """An approved template of the official account: its parameters and its tag."""

    fields: tuple[str, ...]
    tag: Literal["transaction", "care", "promotion"]


class PolicyFile(Section):
    """The keys of policy.yml."""

    suppression_list: str | None = None
    seeds: tuple[Seed, ...] = ()
    send_windows: dict[Contact, Window] = Field(
        default={"sms": _DAY, "zalo": _DAY, "push": _DAY, "phone": "08:00-17:00"}
    )
    caps: tuple[Cap, ...] = (
        Cap(channels=("sms",), at_most=3),
        Cap(channels=("email",), at_most=3),
        Cap(channels=("phone",), at_most=1),
    )
    advertising: dict[Contact, Label] = Field(
        default={"sms": Label(label="[QC] ", opt_out=" Từ chối nhận: soạn TC")}
    )
    fallbacks: dict[str, str] = Field(default={"salutation_name": "bạn"})
    zalo_templates: dict[str, ZaloTemplate] = Field(default_factory=dict)


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
