"""The schema contract of a delivered table: columns may come, types may not flip.

A column's type is frozen by the first delivery that has a value in it; what is frozen commits with
the load (`_deliveries.columns`). A flip of a column that the mapping reads stops that table, other
tables go on. Changing the table's mapping in sources.yml freezes the types anew: that is how a
person accepts them; of a vendor's fields, `accept` does (`ingestion.vendor_contract`). CSV and xlsx
have no types of their own; there values decide, row by row.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from ingestion import textfiles
from khach.errors import GateError
from khach.redact import shape

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ingestion.run import LandedLoad
    from ingestion.spec import SourceConfig

SAMPLED_LINES = 1000  # at the head of each file
_NUMBERS = (
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
    "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "NUMBER",
)  # fmt: skip
_JSON_TYPES = {bool: "BOOLEAN", int: "NUMBER", float: "NUMBER", str: "TEXT", dict: "OBJECT",
               list: "ARRAY"}  # fmt: skip


@dataclass(frozen=True)
class Contract:
    """What deliveries of a table had so far: column to type, as long as `mapping` is the same."""

    mapping: str
    types: Mapping[str, str]


@dataclass(frozen=True)
class Change:
    """A column that is new (`old_type` None) or has another type, and stops nothing."""

    table: str
    column: str
    old_type: str | None
    new_type: str | None


@dataclass(frozen=True)
class Stopped:
    """A table that was not read, because a column's type flipped; `values` is a value's shape."""

    table: str
    column: str
    old_type: str
    new_type: str
    values: str | None = None

    def sentence(self) -> str:
        """What is said of it: names, types and a shape."""
        values = f" (values like {self.values})" if self.values else ""
        return (
            f"table {self.table}: column {self.column} changes its type from {self.old_type} to "
            f"{self.new_type}{values}"
        )


class TableStoppedError(Exception):
    """Ends the reading of one table."""

    def __init__(self, stopped: Stopped) -> None:
        super().__init__(stopped.sentence())
        self.stopped = stopped


class ContractError(GateError):
    """Tables of a source are stopped; `load` is what landed of its other tables, if anything."""

    def __init__(
        self, config: SourceConfig, stopped: Sequence[Stopped], load: LandedLoad | None
    ) -> None:
        keys, fix = config.accepting(stopped[0].table)
        place = config.problem("", *keys)
        super().__init__(
            f"source {config.name}: "
            + "; ".join(one.sentence() for one in stopped)
            + "; nothing of it was landed, other tables were",
            fix=fix,
            file=place.file,
            line=place.line,
            key=place.key,
        )
        self.source = config.name
        self.stopped = tuple(stopped)
        self.load = load


def mapping_digest(mapping: BaseModel) -> str:
    """Recognises a table's mapping."""
    return hashlib.sha256(mapping.model_dump_json().encode()).hexdigest()[:16]


def judge(
    table: str,
    contract: Contract | None,
    mapping: str,
    delivered: Mapping[str, str | None],
    read: Collection[str],
    *,
    fold: Callable[[str], str] = str.lower,
) -> tuple[str, Stopped | None]:
    """The text for `_deliveries.columns`, and the first flip among the columns that are `read`.

    `delivered` maps the columns of a delivery to their types; None: no value in it tells one.
    `fold` makes the same of two spellings of a name; SQL knows no capitals, keys of JSON do.
    """
    known = contract.types if contract else {}
    is_held = contract is not None and contract.mapping == mapping
    needed = {fold(name) for name in read}
    types, changes = dict(known) if is_held else {}, []
    for column, new in sorted((fold(name), type_) for name, type_ in delivered.items()):
        old = known.get(column)
        if contract is not None and column not in known:
            changes.append(Change(table, column, None, new))
        elif old and new and _family(old) != _family(new):
            if is_held and column in needed:
                return "", Stopped(table, column, old, new)
            changes.append(Change(table, column, old, new))
        types[column] = new or old or ""
    record = {
        "mapping": mapping,
        "types": types,
        "changes": [[one.column, one.old_type, one.new_type] for one in changes],
    }
    return json.dumps(record, ensure_ascii=False), None


def read_contract(columns: str) -> Contract:
    """The contract that a delivery's `columns` left."""
    record = json.loads(columns)
    return Contract(record["mapping"], record["types"])


def read_changes(table: str, columns: str) -> list[Change]:
    """The changes that a delivery brought."""
    return [Change(table, *change) for change in json.loads(columns)["changes"]]


@dataclass(frozen=True)
class JsonColumn:
    """A top-level key of JSON lines: the type of most of its values, and the shape of one."""

    type: str
    values: str | None


def sample_json(paths: Iterable[Path], *, lines: int = SAMPLED_LINES) -> dict[str, JsonColumn]:
    """The top-level keys at the head of each file; lines that are no object are skipped.

    What a few odd rows have is no matter: they end in the quarantine by themselves.
    """
    return JsonSample(head(paths, lines)).columns()


class JsonSample:
    """The types that the keys of some objects have.

    Null tells no type, nor does what vendors write for nothing.
    """

    def __init__(self, objects: Iterable[Mapping[str, Any]] = ()) -> None:
        self.objects = 0
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._values: dict[tuple[str, str], Any] = {}
        self.add(objects)

    def add(self, objects: Iterable[Mapping[str, Any]]) -> None:
        """Take in some more."""
        for found in objects:
            self.objects += 1
            for key, value in found.items():
                if value is not None and value not in ("", [], {}):
                    type_ = _JSON_TYPES[type(value)]
                    self._counts[key][type_] += 1
                    self._values.setdefault((key, type_), value)

    def columns(self) -> dict[str, JsonColumn]:
        """Every key that has a value: the type of most of them, and the shape of one."""
        columns = {}
        for key, types in self._counts.items():
            type_ = min(types, key=lambda one: (-types[one], one))
            columns[key] = JsonColumn(type_, shape(self._values[key, type_]))
        return columns


def head(paths: Iterable[Path], lines: int) -> Iterator[dict[str, Any]]:
    """The objects at the head of each file of JSON lines."""
    for path in paths:
        with textfiles.open_bytes(path) as content:
            yield from objects(islice(content, lines))


def objects(lines: Iterable[bytes | str]) -> Iterator[dict[str, Any]]:
    """The lines that are JSON objects, by the parser that DuckDB has as well (yyjson)."""
    for line in lines:
        try:
            found = orjson.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            yield found


def _family(type_: str) -> str:
    """Types between which a value keeps its meaning; other engines than ours widen numbers."""
    base = type_.partition("(")[0].strip()
    if type_.endswith("]") or base == "ARRAY":
        return "array"
    if base in _NUMBERS:
        return "number"
    if base in ("STRUCT", "MAP", "OBJECT"):
        return "object"
    if base.startswith("TIMESTAMP"):
        return "instant" if "ZONE" in base else "timestamp"
    return "text" if base in ("VARCHAR", "TEXT") else base.lower()
