"""The retailer's identity.yml: what links people, and whom to believe when sources disagree."""

from typing import Annotated

from pydantic import Field

from khach.config_files import ConfigFile, parse, read_yaml
from khach.config_mistakes import suggest
from khach.environment import Environment
from khach.identifier_rules import Identifiers, Matching
from khach.settings import Section

# What a source may say about a person, and what a golden value is chosen for.
ATTRIBUTES = (
    "full_name", "email", "phone_e164", "birth_date", "birth_year", "age_band", "gender",
    "marital_status", "occupation", "income_band", "country", "province", "ward",
    "address_original", "loyalty_tier", "loyalty_enrolled_at", "preferred_size",
)  # fmt: skip
# Another word is told of with what is near it, by `load_identity_settings`.
Attribute = Annotated[str, Field(json_schema_extra={"enum": list(ATTRIBUTES)})]


class Survivorship(Section):
    """Sources in the order in which they are believed; those not named follow, as configured."""

    order: tuple[str, ...] = ()
    """Sources, the most trusted first; those not named follow in the order of sources.yml."""
    attributes: dict[Attribute, tuple[str, ...]] = Field(default_factory=dict)
    """Another order of trust for one attribute."""


class IdentitySettings(Section):
    """identity.yml, whose every key may be left out."""

    gmail_rules: bool = False
    """Whether dots and +suffixes say nothing in a Gmail address."""
    identifiers: Identifiers = Identifiers()
    """What links people, and how much of it one person may have."""
    matching: Matching = Matching()
    survivorship: Survivorship = Survivorship()
    """Whom to believe where sources disagree about a person (docs/customer-360.md)."""


def load_identity_settings(env: Environment) -> IdentitySettings:
    """Read `config/identity.yml`, the defaults when there is none.

    ConfigError names file, line and key of a mistake, sources that sources.yml lacks included.
    """
    path = env.config / "identity.yml"
    if not path.exists():
        return IdentitySettings()
    file = read_yaml(path)
    settings = parse(file, IdentitySettings)
    _check_survivorship(file, settings.survivorship, _source_names(env))
    return settings


def trusted_sources(env: Environment) -> dict[str, list[str]]:
    """Per attribute every configured source, the most trusted first, as dbt's var wants it."""
    rules, configured = load_identity_settings(env).survivorship, _source_names(env)
    return {
        attribute: list(dict.fromkeys((*rules.attributes.get(attribute, ()), *rules.order,
                                       *configured)))
        for attribute in ATTRIBUTES
    }  # fmt: skip


def _source_names(env: Environment) -> list[str]:
    from ingestion.config import load_sources

    return [source.name for source in load_sources(env)]


def _check_survivorship(file: ConfigFile, rules: Survivorship, configured: list[str]) -> None:
    place = ("survivorship", "attributes")
    for attribute in rules.attributes:
        if attribute not in ATTRIBUTES:
            raise file.error(
                f"{attribute!r} is no attribute of a person",
                (*place, attribute),
                fix=suggest(attribute, ATTRIBUTES),
            )
    lists = {("survivorship", "order"): rules.order} | {
        (*place, attribute): names for attribute, names in rules.attributes.items()
    }
    for where, names in lists.items():
        for number, name in enumerate(names):
            if name not in configured:
                raise file.error(
                    f"{name!r} is no source of sources.yml",
                    (*where, number),
                    fix=suggest(name, configured),
                )
            if name in names[:number]:
                raise file.error(f"source {name!r} stands twice", (*where, number))
