"""Segments by id: those of the product, and the retailer's own rows in `config/segments.csv`.

dbt executes a segment's rule as it stands, so a retailer's rule is checked here before anything
runs: it may speak of the contracted columns of `customers` and `customer_behaviours`, of the
thresholds of settings.yml by name, of `as_of` and `as_of_on`.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import duckdb
from pydantic import Field, StringConstraints, ValidationError

from activation.contract import mart_columns
from activation.rules import RuleError, compile_rule
from khach import publishing
from khach.config_files import suggest
from khach.environment import Environment
from khach.errors import ConfigError
from khach.names import fold
from khach.settings import Section, Thresholds

# Kinds whose segments are the retailer's own words (macro exclusive_kinds), and stated answers.
OPEN_KINDS = (
    "marital_status", "occupation", "income_band", "country", "province", "ward", "store",
    "category", "channel", "answer",
)  # fmt: skip
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_SEED = Path("seeds") / "segment_definitions.csv"


class Segment(Section):
    """A row of segments.csv: a flag, which a customer is in or not."""

    segment_id: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
    segment_name: Text
    label_vi: Text
    kind: Literal["demographic", "geographic", "psychographic", "behavioural", "relationship"]
    description: Text
    rule: Text
    owner: Text


def check_segments(env: Environment) -> list[Segment]:
    """The retailer's own segments; without a file there are none.

    Raises ConfigError with file, line, key and what would be right.
    """
    path = env.config / "segments.csv"
    if not path.exists():
        return []
    kinds = {row["segment_kind"] for _, row in _rows(env.dbt_project / _SEED)} - {""}
    columns = rule_columns(env)
    found: dict[str, Segment] = {}
    for line, row in _rows(path):
        segment = _parse(path, line, row)
        name = segment.segment_id
        if name in found:
            raise _error(path, line, "segment_id", f"segment {name!r} stands twice")
        if any(name == kind or name.startswith(f"{kind}_") for kind in {*kinds, *OPEN_KINDS}):
            raise _error(
                path, line, "segment_id", f"{name!r} is a name of an exclusive kind", "another name"
            )
        try:
            rule = compile_rule(segment.rule, columns)
        except RuleError as problem:
            raise _error(path, line, "rule", str(problem), problem.fix) from None
        if rule.segments:
            raise _error(
                path, line, "rule", "the rule of a segment cannot ask for another segment",
                "write that one's rule out",
            )  # fmt: skip
        found[name] = segment
    return list(found.values())


def rule_columns(env: Environment) -> dict[str, str]:
    """What a segment's rule may speak of, with types (model segment_inputs)."""
    thresholds = {
        name: "integer" if isinstance(value, int) else "double"
        for name, value in Thresholds().model_dump().items()
    }
    own = mart_columns(env, "customers") | mart_columns(env, "customer_behaviours")
    return own | thresholds | {"as_of_on": "date"}


def unknown_segment(env: Environment, segment: str) -> str | None:
    """What to write instead of a segment id that nobody can be in; None when the id is good.

    An id of an open kind is good when a customer ever was in it, or nothing is published yet.
    """
    declared = {row["segment_id"] for _, row in _rows(env.dbt_project / _SEED)}
    if (own := env.config / "segments.csv").exists():
        declared |= {row.get("segment_id") or "" for _, row in _rows(own)}
    if segment in declared:
        return None
    known = declared
    if segment.startswith(tuple(f"{kind}_" for kind in OPEN_KINDS)):
        current = publishing.current_snapshot(env)
        if current is None or segment in _provinces(env):
            return None
        path = env.published / current / "marts.duckdb"
        with duckdb.connect(str(path), read_only=True) as marts:
            if marts.execute(
                "select 1 from segment_membership where segment_id = ? limit 1", [segment]
            ).fetchone():
                return None
            known |= {row[0] for row in marts.execute("select segment_id from segments").fetchall()}
    return suggest(segment, sorted(known)) or "khach query 'select segment_id from segments'"


def _provinces(env: Environment) -> set[str]:
    """Nobody may live there yet."""
    wards = env.dbt_project / "seeds" / "wards.csv"
    return {
        "province_" + re.sub("[^a-z0-9]+", "_", fold(row["province"])).strip("_")
        for _, row in _rows(wards)
    }


def _parse(path: Path, line: int, row: dict[str, str]) -> Segment:
    try:
        return Segment.model_validate(row)
    except ValidationError as problem:
        mistakes = problem.errors(include_url=False, include_input=False)
        first = next((m for m in mistakes if m["type"] == "extra_forbidden"), mistakes[0])
        key = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "extra_forbidden":
            message = f"unknown column {key!r}"
            raise _error(path, 1, key, message, suggest(key, list(Segment.model_fields))) from None
        if first["type"] == "missing":
            raise _error(path, 1, key, f"missing column {key!r}") from None
        raise _error(path, line, key, str(first["msg"])) from None


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row of a CSV with the line it ends on; nothing when there is no file."""
    if not path.exists():
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            for row in reader:
                if None in row or None in row.values():
                    raise _error(
                        path, reader.line_num, "", "the row has more or fewer values than columns",
                        "put a value with a comma into double quotes",
                    )  # fmt: skip
                yield reader.line_num, row
    except UnicodeDecodeError:
        raise ConfigError(f"{path.name} is not UTF-8 text", file=path) from None
    except csv.Error as problem:
        raise ConfigError(f"{path.name} is no CSV: {problem}", file=path) from None


def _error(path: Path, line: int, key: str, message: str, fix: str | None = None) -> ConfigError:
    return ConfigError(message, file=path, line=line, key=key or None, fix=fix)
