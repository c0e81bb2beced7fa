"""What pydantic finds wrong, in words that a person can act on: message, place, remedy."""

import difflib
import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

Path_ = tuple[str | int, ...]
_NEAR = 0.6  # difflib's measure of two words
_DATE, _LIST = "a date such as 2026-06-30", "a list, such as [a, b]"
_MAP = "keys and values below it, such as key: value"
# What to write instead, by pydantic's name of the mistake (the longest prefix counts) and what
# the mistake says of itself.
_REMEDIES = {
    "int": "a whole number, such as 3",
    "decimal": "a number, such as 0.4",
    "float": "a number, such as 0.4",
    "invalid_key": "a key that is text; a number goes into quotes",
    "finite_number": "a number, such as 0.4",
    "bool": "true or false",
    "string_type": "text; what looks like a number or a date goes into quotes",
    "string_too_short": "some text",
    "string_too_long": "{max_length} characters at most",
    "too_short": "{min_length} entries at least",
    "too_long": "{max_length} entries at most",
    "date": _DATE,
    "list": _LIST,
    "tuple": _LIST,
    "dict": _MAP,
    "model": _MAP,
    "greater_than_equal": "{ge} or more",
    "greater_than": "more than {gt}",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
}
# The patterns of our models, by what fits them.
_EXAMPLES = (
    "cart_abandoners", "aud_cart_abandoners", "VND", "VN", "SUMMER26", "07:00-22:00", "2026-06-30",
    "2026-07",
)  # fmt: skip


class WrongValueError(ValueError):
    """Raised by a validator: what is wrong with a value, and what would be right."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


def suggest(word: str, known: Sequence[str]) -> str | None:
    """`did you mean x?`, or the list of what is known when nothing is near."""
    near = difflib.get_close_matches(word, list(known), n=3, cutoff=_NEAR)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"known: {', '.join(known)}" if known else None


def mistakes(
    model: type[BaseModel], problem: ValidationError, data: Any
) -> list[tuple[str, Path_, str | None]]:
    """Message, location and remedy of each mistake in `data`; the most helpful one stands first."""
    found = problem.errors(include_url=False, include_input=False)
    by_place: dict[Path_, list[Any]] = {}
    misspelt = [_place(one, data) for one in found if one["type"] == "extra_forbidden"]
    for mistake in sorted(found, key=lambda one: one["type"] != "extra_forbidden"):
        place = _place(mistake, data)
        if mistake["type"] == "missing" and any(
            place[:-1] == other[:-1] and _is_near(str(place[-1]), str(other[-1]))
            for other in misspelt
        ):
            continue  # A misspelt key is a missing one too; the spelling is what helps.
        by_place.setdefault(place, []).append(mistake)
    return [_told(model, place, here, data) for place, here in by_place.items()]


def _is_near(word: str, other: str) -> bool:
    return bool(difflib.get_close_matches(word, [other], cutoff=_NEAR))


def _told(
    model: type[BaseModel], place: Path_, here: Sequence[Any], data: Any
) -> tuple[str, Path_, str | None]:
    first = here[0]
    if first["type"] == "extra_forbidden":
        known = _keys_at(model, first["loc"][:-1])
        return f"unknown key {place[-1]!r}", place, suggest(str(place[-1]), known)
    if first["type"] == "missing":
        return f"missing key {place[-1]!r}", place, f"write {place[-1]}: and its value here"
    message = str(first["msg"]).removeprefix("Value error, ")
    # Where a value may be one of several kinds, each of them says what it would be.
    remedies = [fix for mistake in here if (fix := _remedy(mistake, data))]
    return message, place, " or ".join(dict.fromkeys(remedies)) or None


def _place(mistake: Any, data: Any) -> Path_:
    """The location without pydantic's own words for kinds of values, which `data` does not hold."""
    place: list[str | int] = []
    for part in mistake["loc"]:
        is_there = (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        )
        if is_there:
            data = data[part]
            place.append(part)
    return (*place, mistake["loc"][-1]) if mistake["type"] == "missing" else tuple(place)


def _remedy(mistake: Any, data: Any) -> str | None:
    kind, said = str(mistake["type"]), mistake.get("ctx") or {}
    if isinstance(said.get("error"), WrongValueError):
        return str(said["error"].fix)
    if kind == "literal_error":
        place = _place(mistake, data)
        value = place[-1] if mistake["loc"][-1] == "[key]" else _value(data, place)
        return suggest(str(value), re.findall(r"'([^']*)'", said["expected"]))
    if kind == "string_pattern_mismatch":
        fitting = [text for text in _EXAMPLES if re.fullmatch(said["pattern"], text)]
        return f"such as {fitting[0]}" if fitting else f"text that fits {said['pattern']}"
    fits = max((name for name in _REMEDIES if kind.startswith(name)), key=len, default=None)
    return _REMEDIES[fits].format(**said) if fits else None


def _value(data: Any, place: Path_) -> Any:
    for part in place:
        data = data[part]
    return data


def _keys_at(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """The keys that are allowed at a location, found by walking the models' annotations."""
    current: list[type[BaseModel]] = [model]
    for part in location:
        following: list[type[BaseModel]] = []
        for candidate in current:
            named = candidate.model_fields.get(str(part))
            if named is not None:
                following += _models_in(named.annotation)
        current = following or current
    return sorted({f.alias or n for m in current for n, f in m.model_fields.items()})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in getattr(annotation, "__args__", ()) for m in _models_in(part)]
