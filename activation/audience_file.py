"""The keys of an audience file (docs/sync.md, "The audience file"); nothing else is a key."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from activation.channels import CHANNELS
from activation.channels.base import Capabilities
from khach.settings import Section

Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
Share = Annotated[float, Field(ge=0, le=1)]


class Guards(Section):
    """Limits that hold a plan until a person releases it by name."""

    max_removal_share: Share = 0.2
    max_removals: Annotated[int, Field(ge=0)] = 5000
    min_size: Annotated[int, Field(ge=1)] = 1
    max_size: Annotated[int, Field(ge=1)] = 200_000
    max_change_share: Annotated[float, Field(ge=0)] = 0.5
    max_input_age_hours: Annotated[float, Field(gt=0)] = 26


class Sync(Section):
    """Where an audience goes to, with which fields."""

    id: Name
    kind: Literal["membership"]
    channel: str
    consent_channel: Literal["email", "sms", "zalo"] | None = None
    remote: dict[str, str]
    mode: Literal["mirror", "add_only"] = "mirror"
    fields: dict[str, str] = Field(default_factory=dict)
    cadence: Literal["hourly", "daily", "weekly"] = "daily"

    @property
    def capabilities(self) -> Capabilities:
        """What the sync's channel declares."""
        return CHANNELS[self.channel].capabilities

    @property
    def consent(self) -> str:
        """The consent channel that must permit each row."""
        return self.capabilities.consent_channel or str(self.consent_channel)


class Audience(Section):
    """Who, under which purpose, and the syncs that carry them out."""

    name: Name
    owner: str
    description: str
    where: str | None = None
    model: Annotated[str, Field(pattern="^aud_[a-z0-9_]+$")] | None = None
    purpose: Literal["marketing", "service", "survey", "advertising"]
    min_age: Annotated[int, Field(ge=0, le=120)] = 0
    priority: int = 100
    exclude: list[str] = Field(default_factory=list)
    holdout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    syncs: Annotated[list[Sync], Field(min_length=1)]
    guards: Guards = Guards()
    examples: list[dict[str, Any]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_definition(self) -> "Audience":
        if (self.where is None) == (self.model is None):
            raise ValueError("an audience has either `where` or `model`")
        return self
