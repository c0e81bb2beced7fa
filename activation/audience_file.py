"""The keys of an audience file (docs/sync.md, "The audience file"); nothing else is a key."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from activation.channels import CHANNELS
from activation.channels.capabilities import Capabilities
from khach.config_mistakes import WrongValueError
from khach.settings import Section

Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
Share = Annotated[float, Field(ge=0, le=1)]
_WINDOW = r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"


class Guards(Section):
    """Limits that hold a plan until a person releases it by name."""

    max_removal_share: Share = 0.2
    max_removals: Annotated[int, Field(ge=0)] = 5000
    min_size: Annotated[int, Field(ge=1)] = 1
    max_size: Annotated[int, Field(ge=1)] = 200_000
    max_change_share: Annotated[float, Field(ge=0)] = 0.5
    max_input_age_hours: Annotated[float, Field(gt=0)] = 26


class OnEnter(Section):
    """When a message goes out: once per entry, not again for some days, not after its time."""

    cool_down_days: Annotated[int, Field(ge=0, le=3650)]
    valid_for_hours: Annotated[float, Field(gt=0, le=24 * 365)]


class Offer(Section):
    """A code of one person's own, that expires."""

    prefix: Annotated[str, Field(pattern="^[A-Z][A-Z0-9]{0,11}$")]
    valid_days: Annotated[int, Field(ge=1, le=365)]


class Sync(Section):
    """Where an audience goes to, with which fields.

    Membership: who is in the list. Message: one send per entry into the audience.
    """

    id: Name
    kind: Literal["membership", "message"]
    channel: str
    consent_channel: Literal["email", "sms", "zalo", "phone", "push", "ads"] | None = None
    remote: dict[str, str]
    mode: Literal["mirror", "add_only"] | None = None
    on_enter: OnEnter | None = None
    fields: dict[str, str] = Field(default_factory=dict)
    send_window: Annotated[str, Field(pattern=_WINDOW)] | None = None
    cadence: Literal["hourly", "daily", "weekly"] = "daily"

    @model_validator(mode="after")
    def _keys_of_its_kind(self) -> "Sync":
        if self.is_message:
            if self.on_enter is None:
                raise WrongValueError(
                    "a message says on_enter", "on_enter: {cool_down_days: 14, valid_for_hours: 72}"
                )
            if self.mode is not None:
                raise WrongValueError("mode belongs to kind membership; a message is sent once",
                                      "leave mode out")  # fmt: skip
        elif self.on_enter is not None or self.send_window is not None:
            raise WrongValueError("on_enter and send_window belong to kind message",
                                  "leave them out, or kind: message")  # fmt: skip
        return self

    @property
    def is_message(self) -> bool:
        """Whether it sends one message per entry, instead of keeping a list."""
        return self.kind == "message"

    @property
    def is_mirror(self) -> bool:
        """Whether those who leave the audience are removed from the list."""
        return not self.is_message and self.mode != "add_only"

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
    offer: Offer | None = None
    holdout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    syncs: Annotated[list[Sync], Field(min_length=1)]
    guards: Guards = Guards()
    examples: list[dict[str, Any]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_definition(self) -> "Audience":
        if (self.where is None) == (self.model is None):
            raise WrongValueError("an audience has either `where` or `model`", "keep one of them")
        return self
