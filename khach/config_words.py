"""Types and defaults of a JSON schema in a person's words, for docs/configuration.md."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]
NONE = "-"  # the default of what is not there
_SCALARS = [{"type": kind} for kind in ("string", "integer", "number", "boolean")]
# What a cell of a table holds: letters of a default, names of a map.
_MOST_LETTERS, _MOST_NAMES = 48, 8


def type_words(key: Schema) -> str:
    """`whole number, 1 or more`, `one of a, b`, `list: text`; `keys below` for a section."""
    if "title" in key:
        return str(key["title"])
    if "$ref" in key:
        return "keys below"
    if "enum" in key or "const" in key:
        return "one of " + _words(key.get("enum") or [key["const"]])
    if "anyOf" in key:
        return _either(key["anyOf"])
    return _OF_TYPE[key["type"]](key)


def _text(key: Schema) -> str:
    if key.get("format") == "date":
        return "date such as `2026-06-30`"
    if key.get("maxLength") == 1:
        return "one character"
    return f"text such as `{key['examples'][0]}`" if "examples" in key else "text"


def _list(key: Schema) -> str:
    return f"list: {type_words(key['items'])}"


def _either(choices: Sequence[Schema]) -> str:
    if list(choices) == _SCALARS:
        return "text"
    # A number may be written as text, too; nobody has to.
    is_number = any(choice.get("type") == "number" for choice in choices)
    left_out = ("null", "string") if is_number else ("null",)
    return " or ".join(type_words(one) for one in choices if one.get("type") not in left_out)


def _number(key: Schema) -> str:
    bounds = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
    least, above, most, below = (_bare(key.get(bound)) for bound in bounds)
    is_share = key["type"] == "number" and 1 in (most, below)
    name = "share" if is_share else "whole number" if key["type"] == "integer" else "number"
    if most is None and below is None:
        if above is None:
            return name if least is None else f"{name}, {least} or more"
        return f"{name} above {above}"
    first = least if above is None else f"above {above}"
    return f"{name}, {first} to {most if below is None else f'below {below}'}"


def _map(key: Schema) -> str:
    names = key.get("propertyNames", {}).get("enum", ())
    value = key["additionalProperties"]
    of = type_words(value) if isinstance(value, dict) else "anything"
    return f"map: {_words(names) if 0 < len(names) <= _MOST_NAMES else 'name'} to {of}"


_OF_TYPE: Mapping[str, Callable[[Schema], str]] = {
    "integer": _number,
    "number": _number,
    "string": _text,
    "array": _list,
    "object": _map,
    "boolean": lambda _: "true or false",
}


def default_words(key: Schema) -> str:
    """A default as it is written in YAML; `below` for what no cell can hold (`notes`)."""
    text = _default(key)
    if not text:
        return NONE
    return f"`{text}`" if len(text) <= _MOST_LETTERS else "below"


def notes(name: str, key: Schema) -> Iterator[str]:
    """What the cells of a key have no room for: a long default, the names of a map."""
    if len(text := _default(key)) > _MOST_LETTERS:
        yield f"Default of `{name}`: `{text}`"
    names = key.get("propertyNames", {}).get("enum", ())
    if len(names) > _MOST_NAMES:
        yield f"Names in `{name}`: {_words(names)}"


def _default(key: Schema) -> str:
    default = key.get("default")
    return "" if default in (None, "", [], {}) or "$ref" in key else _yaml(default)


def _yaml(value: Any) -> str:
    """A value in YAML's flow style, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_yaml(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_yaml(inner) for inner in value) + "]"
    if isinstance(value, str) and value == value.strip() and value[:1] != "[" and ":" not in value:
        return value
    return json.dumps(_bare(value), ensure_ascii=False)


def _bare(number: Any) -> Any:
    """26 for 26.0."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _words(values: Sequence[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)
