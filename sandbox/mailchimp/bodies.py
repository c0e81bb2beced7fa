"""The request bodies the platform accepts, checked before anything is touched.

Fields, types and enumerations are those of the contract's request schemas; a key that the
contract does not know is ignored, as the platform does.
"""

import json
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from sandbox.mailchimp.problems import ProblemError, invalid_body

Status = Literal["subscribed", "unsubscribed", "cleaned", "pending", "transactional"]
# A merge field is text, a number or an address: a boolean or null "did not match any of the
# schemas described in anyOf" (https://github.com/VingtCinq/python-mailchimp/issues/146).
MergeValue = str | int | float | dict[str, str]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True)


class MemberFields(_Body):
    """What every member request may carry."""

    email_type: Literal["html", "text"] | None = None
    merge_fields: dict[str, MergeValue] = Field(default_factory=dict)
    interests: dict[str, bool] = Field(default_factory=dict)
    language: str | None = None
    vip: bool | None = None
    timestamp_signup: Annotated[datetime, Field(strict=False)] | None = None
    timestamp_opt: Annotated[datetime, Field(strict=False)] | None = None


class MemberPost(MemberFields):
    """`POST /lists/{id}/members`."""

    email_address: str
    status: Status
    tags: list[Name] = Field(default_factory=list)


class MemberPut(MemberFields):
    """`PUT /lists/{id}/members/{hash}`."""

    email_address: str
    status_if_new: Status
    status: Status | None = None


class MemberPatch(MemberFields):
    """`PATCH /lists/{id}/members/{hash}`; an absent field stays as it is."""

    email_address: str | None = None
    status: Literal["subscribed", "unsubscribed", "cleaned", "pending"] | None = None


class BatchMember(MemberFields):
    """One member of `POST /lists/{id}`."""

    email_address: str = ""
    status: Status | None = None


class Batch(_Body):
    """`POST /lists/{id}`: "up to 500 members may be added or updated with each API call"."""

    members: Annotated[list[BatchMember], Field(max_length=500)]
    update_existing: bool = False


class TagChange(_Body):
    """One tag of a member."""

    name: Name
    status: Literal["active", "inactive"]


class TagChanges(_Body):
    """`POST /lists/{id}/members/{hash}/tags`: adds and removes, does not replace."""

    tags: list[TagChange]


class MergeField(_Body):
    """`POST /lists/{id}/merge-fields`."""

    name: Name
    type: Literal[
        "text", "number", "address", "phone", "date", "url", "imageurl", "radio", "dropdown",
        "birthday", "zip",
    ]  # fmt: skip
    # "up to 10 characters": https://mailchimp.com/developer/marketing/docs/merge-fields/
    tag: Annotated[str, StringConstraints(pattern="^[A-Z0-9_]{1,10}$")] | None = None
    required: bool = False
    default_value: str = ""
    public: bool = True


class Segment(_Body):
    """`POST /lists/{id}/segments`; only static segments, which are the list's tags."""

    name: Name
    static_segment: list[str] = Field(default_factory=list)


class SegmentMembers(_Body):
    """`POST /lists/{id}/segments/{id}`: at most 500 addresses each way."""

    members_to_add: Annotated[list[str], Field(max_length=500)] = Field(default_factory=list)
    members_to_remove: Annotated[list[str], Field(max_length=500)] = Field(default_factory=list)


Body = TypeVar("Body", bound=_Body)


def parse(model: type[Body], raw: bytes) -> Body:
    """The body as `model`; a ProblemError (400) that names each wrong field, without its value."""
    try:
        data: Any = json.loads(raw)
    except ValueError as error:
        raise ProblemError(
            400, "JSON Parse Error", "We encountered an unspecified JSON parsing error."
        ) from error
    if not isinstance(data, dict):
        kind = {list: "array", str: "string", int: "integer"}.get(type(data), "other")
        raise invalid_body([("", f"Schema describes object, {kind} found instead")])
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = {_field(e["loc"]): e["msg"] for e in error.errors(include_input=False)}
        raise invalid_body(sorted(found.items())) from error


def _field(location: tuple[str | int, ...]) -> str:
    parts = [f"item:{part}" if isinstance(part, int) else part for part in location]
    return ".".join(part for part in parts if part not in ("str", "int", "float", "dict[str,str]"))
