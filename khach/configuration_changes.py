"""Which keys a new version of a configuration file changed, from what to what, in one line.

The line is read by everybody who reads the marts. Values are written of the keys of `_SHOWN` only,
as far as they are plain; of all others (the policy's own staff, an audience's texts, an address)
the top key alone is named.
"""

import csv
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from khach.settings import Settings
from khach.targets import COLUMNS as TARGET_COLUMNS

MOST_KEYS = 10
_MOST_LETTERS = 80
_SHOWN = {
    "settings.yml": r"(?!publish\b).+",
    "policy.yml": r"(send_windows|caps)\b.*",
    "segments.csv": r".+\.rule",  # the table `segments` shows it, too
    "generations.csv": r".+",
    "targets.csv": r".+",
}
# The columns that say which row it is; of other tables the first.
_KEYS = {"targets.csv": TARGET_COLUMNS[:-1]}
Values = dict[str, str]


def summary(name: str, before: str, after: str) -> str:
    """`thresholds.loyal_order_days 3 -> 4; ...` between two contents of the file of this name.

    A key that the file left out has the default that counted. At most `MOST_KEYS` keys are named,
    with the number of the others; a change of comments or order only is said to be that.
    """
    try:
        old, new = _values(name, before, after)
    except (yaml.YAMLError, ValueError, csv.Error):
        return "one of the two versions cannot be read"
    shown, hidden = re.compile(_SHOWN.get(name, "(?!)")), set[str]()
    told = []
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) == new.get(key):
            continue
        if shown.fullmatch(key):
            told.append(_told(key, old.get(key), new.get(key)))
        else:
            hidden.add(re.split(r"[.]", key)[0])
    told += [f"{key} changed" for key in sorted(hidden)]
    if len(told) > MOST_KEYS:
        told[MOST_KEYS:] = [f"{len(told) - MOST_KEYS} more"]
    return "; ".join(told) or "no value (comments or order only)"


def _told(key: str, old: str | None, new: str | None) -> str:
    if old is None:
        return f"{key} {new} is new"
    return f"{key} {old} is gone" if new is None else f"{key} {old} -> {new}"


def _values(name: str, before: str, after: str) -> tuple[Values, Values]:
    """Values by dotted key; both with the defaults, or, where one is of other rules, neither."""
    if name.endswith(".csv"):
        return dict(_of_table(name, before)), dict(_of_table(name, after))
    old, new = yaml.safe_load(before), yaml.safe_load(after)
    if model := _model(name):
        # A file of an older release may not hold: what stands in it is compared then.
        with suppress(ValidationError):
            old, new = (model.model_validate(data or {}).model_dump(mode="json")
                        for data in (old, new))  # fmt: skip
    return dict(_of_tree("", old)), dict(_of_tree("", new))


def _model(name: str) -> type[BaseModel] | None:
    from activation.policy import PolicyFile

    models: dict[str, type[BaseModel]] = {"settings.yml": Settings, "policy.yml": PolicyFile}
    return models.get(name)


def _of_tree(key: str, data: Any) -> Iterator[tuple[str, str]]:
    """Every leaf with its dotted key; a list of plain values is one leaf."""
    if isinstance(data, Mapping):
        parts = list(data.items())
    elif isinstance(data, list) and any(isinstance(part, Mapping | list) for part in data):
        parts = list(enumerate(data))
    else:
        yield key, _short(data if isinstance(data, str) else json.dumps(data, default=str))
        return
    for part, value in parts:
        yield from _of_tree(f"{key}.{part}".lstrip("."), value)


def _of_table(name: str, text: str) -> Iterator[tuple[str, str]]:
    """Every cell of a CSV with its key: the row's name and the column."""
    rows = csv.DictReader(text.lstrip("\ufeff").splitlines())
    names = _KEYS.get(name, tuple(rows.fieldnames or ())[:1])
    for row in rows:
        place = ".".join(row.get(column) or "" for column in names)
        for column, value in row.items():
            if column not in names and isinstance(value, str):
                yield f"{place}.{column}", _short(value)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_LETTERS else f"{line[:_MOST_LETTERS]}…"
