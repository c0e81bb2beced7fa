"""CSV files of the configuration, with the line of every row."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, StringConstraints, ValidationError

from khach.config_mistakes import mistakes, suggest
from khach.errors import ConfigError

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Model = TypeVar("Model", bound=BaseModel)

_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class CsvFile:
    """A file as it stands: rows with their 1-based last line, and one mistake per row misfit."""

    header: list[str]
    rows: list[tuple[int, dict[str, str]]]
    misfits: list[ConfigError]


def read_csv(path: Path) -> CsvFile:
    """Read a small CSV; ConfigError when it is no UTF-8 text or no CSV."""
    rows: list[tuple[int, dict[str, str]]] = []
    misfits = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            for cells in reader:
                if len(cells) == len(header):
                    rows.append((reader.line_num, dict(zip(header, cells, strict=True))))
                elif cells:  # an empty line is none
                    misfits.append(
                        ConfigError(
                            f"the row has {len(cells)} values for {len(header)} columns",
                            file=path,
                            line=reader.line_num,
                            fix="put a value with a comma into double quotes; the columns are "
                            + ",".join(header),
                        )
                    )
    except UnicodeDecodeError:
        raise ConfigError(
            f"{path.name} is not UTF-8 text", file=path, fix="save it as CSV UTF-8"
        ) from None
    except csv.Error as problem:
        raise ConfigError(
            f"{path.name} is no CSV: {problem}",
            file=path,
            line=reader.line_num,
            fix="a double quote within a quoted value is written twice",
        ) from None
    return CsvFile(header, rows, misfits)


def parse_rows(
    path: Path, rows: Sequence[tuple[int, dict[str, str]]], model: type[Model]
) -> tuple[list[tuple[int, Model]], list[ConfigError]]:
    """The rows that fit the model, with their lines; and every mistake of the others."""
    parsed, found = [], []
    for line, row in rows:
        try:
            parsed.append((line, model.model_validate(row)))
        except ValidationError as problem:
            for message, place, fix in mistakes(model, problem, row):
                key = str(place[0]) if place else None
                found.append(ConfigError(message, file=path, line=line, key=key, fix=fix))
    return parsed, found


def header_mistakes(path: Path, header: list[str], known: Sequence[str]) -> Iterator[ConfigError]:
    """Columns that are unknown, missing or there twice; of a line that is none, its remedy."""
    fix = header_remedy(header, known)
    if len(header) == 1 or len(set(header)) < len(header):
        yield ConfigError(f"{path.name} has another header", file=path, line=1, fix=fix)
        return
    for name in header:
        if name not in known:
            told = f"unknown column {name!r}"
            yield ConfigError(told, file=path, line=1, key=name, fix=suggest(name, known))
    for name in known:
        if name not in header:
            yield ConfigError(f"missing column {name!r}", file=path, line=1, key=name, fix=fix)


def header_remedy(header: Sequence[str], columns: Sequence[str]) -> str:
    """The first line that a CSV should have, after what may have gone wrong with this one."""
    wanted = ",".join(columns)
    for sign, name in _OTHER_SEPARATORS.items():
        if len(header) == 1 and sign in header[0]:
            return f"separate the columns by commas, not by {name}: {wanted}"
    return wanted
