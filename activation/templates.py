"""Fields of a sync as SQL over `customers`: a column, or a text with `{placeholders}`.

A placeholder is a contracted column or `offer_code`. One that may be empty needs a fallback, from
`{column|text}` or from `fallbacks` of policy.yml, so that nobody is greeted as "{None} oi".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from khach.config_mistakes import suggest

OFFER_CODE = "offer_code"
_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class TemplateError(ValueError):
    """A text that cannot be filled in; `fix` says what would be right."""

    def __init__(self, message: str, fix: str | None = None) -> None:
        super().__init__(message)
        self.fix = fix


@dataclass(frozen=True)
class Placeholder:
    """A column (or `offer_code`) and what stands there when a customer has none."""

    name: str
    fallback: str | None


def parse_template(text: str) -> list[str | Placeholder]:
    """Literal parts and placeholders in order; `{{` and `}}` are braces.

    Raises TemplateError for a brace without its partner or an empty name.
    """
    parts: list[str | Placeholder] = []
    position = 0
    for match in _PART.finditer(text):
        parts.append(text[position : match.start()])
        position = match.end()
        found = match.group(0)
        if found in ("{{", "}}"):
            parts.append(found[0])
            continue
        name, bar, fallback = (match.group(1) or "").partition("|")
        if not name.strip():
            raise TemplateError(f"{found!r} names no column", "{column}, {column|text}, or {{")
        parts.append(Placeholder(name.strip(), fallback if bar else None))
    parts.append(text[position:])
    return [part for part in parts if part != ""]


def check_template(
    text: str, columns: Mapping[str, str], fallbacks: Mapping[str, str], *, has_offer: bool
) -> None:
    """Raise TemplateError for an unknown column, or one that may be empty without a fallback."""
    for part in _placeholders(text):
        if part.name == OFFER_CODE:
            if not has_offer:
                raise TemplateError(
                    "{offer_code} needs an offer", "offer: {prefix: GIO, valid_days: 3}"
                )
        elif part.name not in columns:
            raise TemplateError(
                f"unknown column {part.name!r}", suggest(part.name, [*columns, OFFER_CODE])
            )
        elif part.fallback is None and part.name not in fallbacks:
            raise TemplateError(
                f"{{{part.name}}} may be empty and has no fallback",
                f"{{{part.name}|some text}}, or in policy.yml: "
                f"fallbacks: {{{part.name}: some text}}",
            )


def template_sql(text: str, fallbacks: Mapping[str, str], offer_code_sql: str) -> str:
    """The text as one SQL expression over a row of `customers`."""
    pieces = []
    for part in parse_template(text):
        if isinstance(part, str):
            pieces.append(quoted(part))
        elif part.name == OFFER_CODE:
            pieces.append(offer_code_sql)
        else:
            fallback = part.fallback if part.fallback is not None else fallbacks[part.name]
            value = f"nullif(trim(cast({part.name} as varchar)), '')"
            pieces.append(f"coalesce({value}, {quoted(fallback)})")
    return " || ".join(pieces) or "''"


def uses_offer(text: str) -> bool:
    """Whether a text names the offer code."""
    return any(part.name == OFFER_CODE for part in _placeholders(text))


def quoted(text: str) -> str:
    """A SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _placeholders(text: str) -> Iterator[Placeholder]:
    return (part for part in parse_template(text) if isinstance(part, Placeholder))
