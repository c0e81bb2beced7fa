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
    """A part of a configuration file: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Count = Annotated[int, Field(ge=1)]
Score = Annotated[int, Field(ge=1, le=5)]
Share = Annotated[float, Field(ge=0, le=1)]


class Thresholds(Section):
    """Numbers that define words such as loyal, session and abandoned.

    The rules of segments name them (docs/segments.md); macros/settings.sql has the same defaults.
    """

    loyal_order_days: Annotated[int, Field(ge=2)] = 3
    session_minutes: Count = 30
    abandoned_cart_minutes: Count = 60
    cart_recovery_days: Count = 7
    journey_gap_days: Count = 30
    affinity_most_products: Annotated[int, Field(ge=2)] = 50
    affinity_least_pairs: Count = 3
    high_spend_score: Score = 5
    low_spend_score: Score = 1
    repeat_browser_days: Count = 30
    repeat_browser_sessions: Count = 3
    cart_abandoner_days: Count = 3
    store_visit_days: Count = 30
    won_back_days: Count = 30
    discount_hunter_orders: Count = 2
    discount_hunter_share: Share = 0.5
    preference_orders: Count = 2
    preference_share: Share = 0.5
    email_window_days: Count = 90
    email_judged_count: Count = 3
    email_engaged_share: Share = 0.5
    email_fatigued_share: Share = 0.1
    trait_units: Count = 3
    new_product_days: Count = 30
    trend_seeker_share: Share = 0.5
    quality_price_rank: Share = 0.75
    quality_seeker_share: Share = 0.5
    quality_return_share: Share = 0.1
    price_sensitive_share: Share = 0.5
    social_touch_count: Count = 1
    smallest_ward_segment: Count = 5
    smallest_answer_segment: Count = 5


class Attribution(Section):
    """Which touches before an order share its credit."""

    window_days: Annotated[int, Field(ge=1, le=365)] = 30
    include: tuple[Literal["sends", "opens"], ...] = ()


class Measurement(Section):
    """How long after a message, or a draw into an experiment, an order counts."""

    campaign_window_days: Annotated[int, Field(ge=1, le=365)] = 7
    lift_window_days: Annotated[tuple[Annotated[int, Field(ge=1, le=365)], ...],
                                Field(min_length=1)] = (3, 7)  # fmt: skip


class Publish(Section):
    """Where snapshots go besides the files."""

    postgres_url_env: str | None = None
    schema_name: Annotated[str, Field(alias="schema", pattern="^[a-z_][a-z0-9_]{0,39}$")] = "khach"

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

    business_time_zone: str = "Asia/Ho_Chi_Minh"
    reporting_currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "VND"
    default_country: Annotated[str, Field(pattern="^[A-Z]{2}$")] = "VN"
    as_of: date | Literal["now", "latest"] = "now"
    minimum_age: Annotated[int, Field(ge=0, le=120)] = 16
    margin_rate: Annotated[Decimal, Field(ge=0, le=1)] = Decimal("0.4")
    discount_rate: Annotated[Decimal, Field(ge=0, le=1)] = Decimal("0.1")
    unit_costs: dict[str, Annotated[Decimal, Field(ge=0, le=10**9)]] = Field(default_factory=dict)
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
