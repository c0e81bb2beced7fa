"""The keys of an audience file (docs/sync.md, "The audience file"); nothing else is a key."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from activation.channels import CHANNELS
from activation.channels.capabilities import Capabilities
from khach.config_mistakes import WrongValueError
from khach.settings import Section

Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$", examples=["cart_abandoners"])]
# Another channel is told of with what is near it, by `load_audiences`.
Channel = Annotated[str, Field(json_schema_extra={"enum": sorted(CHANNELS)})]
Share = Annotated[float, Field(ge=0, le=1)]
_WINDOW = r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"


class Guards(Section):
    """Limits that hold a plan until a person releases it by name."""

    max_removal_share: Share = 0.2
    """The most that may leave at once, as a share of the members."""
    max_removals: Annotated[int, Field(ge=0)] = 5000
    """The most members that may leave at once."""
    min_size: Annotated[int, Field(ge=1)] = 1
    """Fewer members hold the plan."""
    max_size: Annotated[int, Field(ge=1)] = 200_000
    """More members hold the plan."""
    max_change_share: Annotated[float, Field(ge=0)] = 0.5
    """How far the size may move from one plan to the next, as a share of it."""
    max_input_age_hours: Annotated[float, Field(gt=0)] = 26
    """How many hours old the published marts may be."""


class OnEnter(Section):
    """When a message goes out: once per entry, not again for some days, not after its time."""

    cool_down_days: Annotated[int, Field(ge=0, le=3650)]
    """Days before the same person may get the next message of this sync."""
    valid_for_hours: Annotated[float, Field(gt=0, le=24 * 365)]
    """So many hours after the entry the message still makes sense."""


class Offer(Section):
    """A code of one person's own, that expires."""

    prefix: Annotated[str, Field(pattern="^[A-Z][A-Z0-9]{0,11}$", examples=["SUMMER26"])]
    """How each code begins: capitals and digits."""
    valid_days: Annotated[int, Field(ge=1, le=365)]
    """Days until a code expires."""


class Sync(Section):
    """Where an audience goes to, with which fields.

    Membership: who is in the list. Message: one send per entry into the audience.
    """

    id: Name
    """Unique over all audiences; never reused."""
    kind: Literal["membership", "message"]
    """membership: who is in a list. message: one send per entry into the audience."""
    channel: Channel
    """The destination: one of the channels below."""
    consent_channel: Literal["email", "sms", "zalo", "phone", "push", "ads"] | None = None
    """For channels that have none of their own: the consent that is needed."""
    remote: dict[str, str]
    """Where at the channel. In capitals: the NAME of an environment variable."""
    mode: Literal["mirror", "add_only"] | None = None
    """mirror (as when left out): who leaves the audience leaves the list. add_only: nobody does."""
    on_enter: OnEnter | None = None
    """Needed by a message: once per entry, not again for some days, not after its time."""
    fields: dict[str, str] = Field(default_factory=dict)
    """The channel's field: a column of customers (lists), a text with `{column}` (messages)."""
    send_window: Annotated[str, Field(pattern=_WINDOW, examples=["08:00-21:00"])] | None = None
    """Local hours in which a message may go out, within those of policy.yml."""
    cadence: Literal["hourly", "daily", "weekly"] = "daily"
    """How often the sync is planned."""

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
    """The file's name by custom. Never renamed: holdouts and history hang on it."""
    owner: str
    """The team that answers for it."""
    description: str
    """Whom it reaches, in words a marketer understands."""
    where: Annotated[str, Field(title="SQL condition")] | None = None
    """Who is in: ONE condition over columns of customers, as_of, `in_segment('<id>')`."""
    model: Annotated[
        str, Field(pattern="^aud_[a-z0-9_]+$", examples=["aud_cart_abandoners"])
    ] | None = None  # fmt: skip
    """Instead of `where`: a dbt model with a column customer_id, for what that cannot say."""
    purpose: Literal["marketing", "service", "survey", "advertising"]
    """The consent that each person must have given for the sync's channel."""
    min_age: Annotated[int, Field(ge=0, le=120)] = 0
    """Younger people, in years, stay out; `minimum_age` of settings.yml holds besides."""
    priority: int = 100
    """Lower wins: who is in such an audience with a sync on the channel stays out of this one."""
    exclude: list[str] = Field(default_factory=list)
    """Audiences whose members stay out."""
    offer: Offer | None = None
    """A code of one person's own, used as `{offer_code}` in the fields of messages."""
    holdout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share never contacted, so that the effect can be measured."""
    syncs: Annotated[list[Sync], Field(min_length=1)]
    """Where it goes to, each with the fields that go along."""
    guards: Guards = Guards()
    examples: list[dict[str, Any]] = Field(default_factory=list)
    """Customers the rule must judge as `in` says; columns left out are null."""

    @model_validator(mode="after")
    def _one_definition(self) -> "Audience":
        if (self.where is None) == (self.model is None):
            raise WrongValueError("an audience has either `where` or `model`", "keep one of them")
        return self
