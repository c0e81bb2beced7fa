"""YAML configuration with the line of every key, checked against a pydantic model."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from khach.config_mistakes import Path_, mistakes
from khach.errors import ConfigError

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
        raise ConfigError(
            f"{path.name} is not UTF-8 text", file=path, fix="save it as UTF-8"
        ) from None
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
            fix="look at the indentation, quotes and colons of this line and of the one above",
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
    """Validate a file; its mistakes are raised with file, line, key and a suggestion each."""
    try:
        return model.model_validate(file.data)
    except ValidationError as problem:
        found = mistakes(model, problem, file.data)
        raise ConfigError.first_of(
            file.error(message, place, fix=fix) for message, place, fix in found
        ) from None


def _index(node: yaml.Node, place: Path_, file: ConfigFile) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            inner = (*place, key.value)
            if key.value in seen:
                file.lines[inner] = key.start_mark.line + 1
                raise file.error(
                    f"key {key.value!r} stands twice", inner, fix="keep one of the two"
                )
            seen.add(key.value)
            file.lines[inner] = key.start_mark.line + 1
            _index(value, inner, file)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            file.lines[(*place, number)] = value.start_mark.line + 1
            _index(value, (*place, number), file)
