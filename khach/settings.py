"""The retailer's settings.yml: time zone, currency, thresholds, margins."""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator

from khach.config_files import parse, read_yaml
from khach.config_mistakes import WrongValueError, suggest
from khach.environment import PROJECT, Environment


class Section(BaseModel):
    """A part of a configuration file: unknown keys are mistakes.

    The text below a key is its sentence in docs/configuration.md and in editors.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


VARIABLE = "name of an environment variable"
Count = Annotated[int, Field(ge=1)]
Score = Annotated[int, Field(ge=1, le=5)]
Share = Annotated[float, Field(ge=0, le=1)]


class Thresholds(Section):
    """Numbers that define words such as loyal, session and abandoned.

    The rules of segments name them (docs/segments.md); macros/settings.sql has the same defaults.
    """

    loyal_order_days: Annotated[int, Field(ge=2)] = 3
    """Days with an order from which a customer is loyal."""
    session_minutes: Count = 30
    """Minutes of silence that end a web session."""
    abandoned_cart_minutes: Count = 60
    """Minutes without an order after which a cart is abandoned."""
    cart_recovery_days: Count = 7
    """Days within which an order still recovers an abandoned cart."""
    journey_gap_days: Count = 30
    """Days of silence that end a customer's journey."""
    affinity_most_products: Annotated[int, Field(ge=2)] = 50
    """Orders of more products say nothing of what is bought together."""
    affinity_least_pairs: Count = 3
    """Two products bought together less often than so many times are no pair."""
    high_spend_score: Score = 5
    """`high_spender` from this fifth of net revenue on; 5 is the highest."""
    low_spend_score: Score = 1
    """`low_spender` up to this fifth of net revenue; 1 is the lowest."""
    repeat_browser_days: Count = 30
    """The last days whose web sessions make a `repeat_browser`."""
    repeat_browser_sessions: Count = 3
    """Web sessions in those days, without an order, of a `repeat_browser`."""
    cart_abandoner_days: Count = 3
    """So many days after leaving a cart somebody is a `cart_abandoner`."""
    store_visit_days: Count = 30
    """So many days a store visit without an order is remembered."""
    won_back_days: Count = 30
    """So many days after the first order since a lapse somebody is `won_back`."""
    discount_hunter_orders: Count = 2
    """Orders from which somebody may be a `discount_hunter`."""
    discount_hunter_share: Share = 0.5
    """Share of a `discount_hunter`'s orders with a discount, at least."""
    preference_orders: Count = 2
    """Orders in a store, or of a category, from which it may be the preferred one."""
    preference_share: Share = 0.5
    """Share of store orders (or units) of the preferred store (or category)."""
    email_window_days: Count = 90
    """The last days whose e-mails are judged."""
    email_judged_count: Count = 3
    """E-mails in those days from which somebody is judged at all."""
    email_engaged_share: Share = 0.5
    """`email_engaged` when this share of them, or more, was opened or clicked."""
    email_fatigued_share: Share = 0.1
    """`email_fatigued` when this share of them, or less, was opened or clicked."""
    trait_units: Count = 3
    """Units bought from which `trend_seeker` and its like are judged."""
    new_product_days: Count = 30
    """Days after its first sale in which a product is new."""
    trend_seeker_share: Share = 0.5
    """Share of a `trend_seeker`'s units that were new, at least."""
    quality_price_rank: Share = 0.75
    """Price rank in its category (1 is the dearest) from which a product is dear."""
    quality_seeker_share: Share = 0.5
    """Share of a `quality_seeker`'s units that were dear, at least."""
    quality_return_share: Share = 0.1
    """Share of revenue that a `quality_seeker` may have returned, at most."""
    price_sensitive_share: Share = 0.5
    """Share of a `price_sensitive` customer's units at a discount, at least."""
    social_touch_count: Count = 1
    """Conversations, reviews, referrals and surveys of `relationship_social`."""
    smallest_ward_segment: Count = 5
    """Wards of fewer customers are no segment of their own: `ward_other`."""
    smallest_answer_segment: Count = 5
    """Answers that fewer customers gave make no segment."""


class Attribution(Section):
    """Which touches before an order share its credit."""

    window_days: Annotated[int, Field(ge=1, le=365)] = 30
    """Touches so many days before an order share its credit."""
    include: tuple[Literal["sends", "opens"], ...] = ()
    """Messages sent, or opened, are touches too, beside visits, clicks, conversations, calls."""


class Measurement(Section):
    """How long after a message, or a draw into an experiment, an order counts."""

    campaign_window_days: Annotated[int, Field(ge=1, le=365)] = 7
    """Orders of a campaign's recipients so many days after the send are counted for it."""
    lift_window_days: Annotated[tuple[Annotated[int, Field(ge=1, le=365)], ...],
                                Field(min_length=1)] = (3, 7)  # fmt: skip
    """Days after the draw in which orders count for a lift; one row of `lifts` for each."""


class Publish(Section):
    """Where snapshots go besides the files."""

    postgres_url_env: Annotated[str, Field(title=VARIABLE)] | None = None
    """The variable that holds the address of a PostgreSQL database for BI tools (docs/bi.md)."""
    schema_name: Annotated[
        str, Field(alias="schema", pattern="^[a-z_][a-z0-9_]{0,39}$", examples=["khach"])
    ] = "khach"
    """The schema of that database that holds the marts."""

    @field_validator("postgres_url_env")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        if value is not None and re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", value) is None:
            raise WrongValueError(
                "here stands the NAME of an environment variable; the address stands in that",
                "a name such as KHACH_BI_URL",
            )
        return value


class Settings(Section):
    """settings.yml, with the defaults of a retailer in Viet Nam."""

    business_time_zone: Annotated[str, Field(title="IANA time zone")] = "Asia/Ho_Chi_Minh"
    """Days are cut in this zone; storage is UTC."""
    reporting_currency: Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["VND"])] = "VND"
    """Currency (ISO 4217) of all `*_amount` columns; others need rates in exchange_rates.csv."""
    default_country: Annotated[str, Field(pattern="^[A-Z]{2}$", examples=["VN"])] = "VN"
    """By its habits (ISO 3166) names, and phone numbers without a country code, are read."""
    as_of: date | Literal["now", "latest"] = "now"
    """End of the observed period: now, the newest day in the data, or the end of a day."""
    minimum_age: Annotated[int, Field(ge=0, le=120)] = 16
    """People known to be younger, in years, are in no audience."""
    margin_rate: Annotated[Decimal, Field(ge=0, le=1)] = Decimal("0.4")
    """Share of net revenue that is margin (customer value)."""
    discount_rate: Annotated[Decimal, Field(ge=0, le=1)] = Decimal("0.1")
    """Yearly rate by which later money is worth less (predicted customer value)."""
    unit_costs: dict[str, Annotated[Decimal, Field(ge=0, le=10**9)]] = Field(default_factory=dict)
    """Cost of one touch by its kind (such as `call`), else its channel, in reporting currency."""
    thresholds: Thresholds = Thresholds()
    attribution: Attribution = Attribution()
    measurement: Measurement = Measurement()
    publish: Publish = Publish()

    @field_validator("business_time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise WrongValueError(
                f"{value!r} is no IANA time zone", "a name such as Asia/Ho_Chi_Minh"
            ) from None
        return value

    @field_validator("unit_costs")
    @classmethod
    def _known_touches(cls, value: dict[str, Decimal]) -> dict[str, Decimal]:
        seeds = PROJECT / "dbt_project/seeds"
        known = [
            line.split(",")[0]
            for name in ("channels.csv", "interaction_kinds.csv")
            for line in (seeds / name).read_text(encoding="utf-8").splitlines()[1:]
        ]
        for word in value:
            if word not in known:
                raise WrongValueError(
                    f"{word!r} is no channel and no kind of touch", str(suggest(word, known))
                )
        return value


def load_settings(env: Environment) -> Settings:
    """Read `config/settings.yml`; ConfigError names file, line and key of a mistake."""
    return parse(read_yaml(env.config / "settings.yml"), Settings)
