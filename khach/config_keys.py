"""The keys of a configuration file's JSON schema, by dotted name, in a person's words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from khach.config_words import NONE, default_words, notes, type_words

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Key:
    """A key by its dotted name: `*` is a name of the retailer's, `[]` an entry of a list.

    `notes` are what its cells have no room for, each a line.
    """

    name: str
    type: str
    default: str
    sentence: str
    notes: tuple[str, ...] = ()

    @property
    def section(self) -> str:
        """The name of what the key is in, '' at the top of a file."""
        return self.name.rpartition(".")[0]


def keys(schema: Schema, node: Schema | None = None, prefix: str = "") -> Iterator[Key]:
    """The keys of a JSON schema (`khach.json_schema`), each level before what is nested in it."""
    node = schema if node is None else node
    inner: list[tuple[str, Schema]] = []
    for name, key in node["properties"].items():
        default = "**required**" if name in node.get("required", ()) else default_words(key)
        yield Key(
            f"{prefix}{name}",
            type_words(key),
            default,
            key.get("description", ""),
            tuple(notes(f"{prefix}{name}", key)),
        )
        inner += _sections(schema, key, f"{prefix}{name}")
    if len(inner) > 1 and len(inner) == len(node["properties"]):
        yield from _alike(schema, inner, f"{prefix}*")
    else:
        for place, section in inner:
            yield from keys(schema, section, f"{place}.")


def _sections(schema: Schema, key: Schema, place: str) -> Iterator[tuple[str, Schema]]:
    """The sections with keys of their own that a key's value, its entries or its names hold."""
    if "$ref" in key:
        yield place, schema["$defs"][key["$ref"].rpartition("/")[2]]
    for choice in key.get("anyOf", ()):
        yield from _sections(schema, choice, place)
    if isinstance(key.get("items"), dict):
        yield from _sections(schema, key["items"], f"{place}[]")
    if isinstance(key.get("additionalProperties"), dict):
        yield from _sections(schema, key["additionalProperties"], f"{place}.*")


def _alike(schema: Schema, sections: Sequence[tuple[str, Schema]], prefix: str) -> Iterator[Key]:
    """Sections beside one another that have the same keys, told once with each one's default."""
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for place, section in sections:
        for key in keys(schema, section):
            same = found.setdefault((key.name, key.type, key.sentence), {})
            same[place.rpartition(".")[2]] = key.default
    for (name, type_, sentence), defaults in found.items():
        told = ", ".join(f"{place} {text}" for place, text in defaults.items() if text != NONE)
        yield Key(f"{prefix}.{name}", type_, told or NONE, sentence)
