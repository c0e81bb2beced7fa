"""YAML configuration with the line of every key, checked against a pydantic model."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from khach.errors import ConfigError

Path_ = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)
# libyaml's parser is ten times faster, and every plan reads every audience.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class ConfigFile:
    """A parsed file: plain data, and the 1-based line of every key and list item."""

    path: Path
    data: Any
    lines: dict[Path_, int] = field(default_factory=dict)

    def line(self, location: Sequence[str | int]) -> int | None:
        """The line of a location, or of its nearest ancestor that stands in the file."""
        place = tuple(location)
        while place:
            if place in self.lines:
                return self.lines[place]
            place = place[:-1]
        return 1

    def error(
        self, message: str, location: Sequence[str | int] = (), *, fix: str | None = None
    ) -> ConfigError:
        """A ConfigError that names file, line and key of a location in this file."""
        return ConfigError(
            message,
            file=self.path,
            line=self.line(location),
            key=".".join(str(part) for part in location) or None,
            fix=fix,
        )


def suggest(word: str, known: Sequence[str]) -> str | None:
    """`did you mean x?`, or the list of what is known when nothing is near."""
    near = difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"known: {', '.join(known)}" if known else None


def read_yaml(path: Path) -> ConfigFile:
    """Read one YAML file; ConfigError when it is absent, empty of meaning or not YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"{path.name} does not exist",
            file=path,
            fix="khach init --sandbox, or khach init --from-template NAME, writes one",
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path.name} is not UTF-8 text", file=path) from None
    file = ConfigFile(path, {})
    try:
        loader = _LOADER(text)
        node = loader.get_single_node()
        if node is not None:
            _index(node, (), file)  # before its merge keys (<<) are written out in the tree
            file.data = loader.construct_document(node)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark
        raise ConfigError(
            f"{path.name} is not valid YAML: {problem.problem}",
            file=path,
            line=mark.line + 1 if mark else None,
        ) from None
    except ValueError as problem:  # what looks like a date and is none: 2026-13-45
        raise ConfigError(
            f"{path.name} holds an impossible date: {problem}",
            file=path,
            line=_line_of_impossible(node),
            fix="a date such as 2026-06-30",
        ) from None
    if file.data is None:
        file.data = {}
    return file


def _line_of_impossible(node: yaml.Node | None) -> int | None:
    """The line of the first scalar that PyYAML cannot make a value of."""
    if node is None:
        return None
    if isinstance(node, yaml.ScalarNode):
        try:
            _LOADER("").construct_object(node)
        except ValueError:
            return int(node.start_mark.line) + 1
        return None
    children = [part for pair in node.value for part in pair] if isinstance(
        node, yaml.MappingNode) else node.value  # fmt: skip
    return next((line for child in children if (line := _line_of_impossible(child))), None)


def parse(file: ConfigFile, model: type[Model]) -> Model:
    """Validate a file; the first mistake is raised with file, line, key and a suggestion."""
    try:
        return model.model_validate(file.data)
    except ValidationError as problem:
        raise _config_error(file, model, problem) from None


def _config_error(
    file: ConfigFile, model: type[BaseModel], problem: ValidationError
) -> ConfigError:
    mistakes = problem.errors(include_url=False, include_input=False)
    # A misspelt key is a missing one too; the spelling is what helps.
    first = next((m for m in mistakes if m["type"] == "extra_forbidden"), mistakes[0])
    location = tuple(part for part in first["loc"] if not str(part).startswith("function-"))
    fix = None
    message = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = f"unknown key {location[-1]!r}"
        fix = suggest(str(location[-1]), _keys_at(model, location[:-1]))
    elif first["type"] == "missing":
        message = f"missing key {location[-1]!r}"
    return file.error(message, location, fix=fix)


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


def _index(node: yaml.Node, place: Path_, file: ConfigFile) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            inner = (*place, key.value)
            if key.value in seen:
                file.lines[inner] = key.start_mark.line + 1
                raise file.error(f"key {key.value!r} stands twice", inner)
            seen.add(key.value)
            file.lines[inner] = key.start_mark.line + 1
            _index(value, inner, file)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            file.lines[(*place, number)] = value.start_mark.line + 1
            _index(value, (*place, number), file)
