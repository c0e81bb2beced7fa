"""Segments by id: those of the product, and the retailer's own rows in `config/segments.csv`.

dbt executes a segment's rule as it stands, so a retailer's rule is checked here before anything
runs: it may speak of the contracted columns of `customers` and `customer_behaviours`, of the
thresholds of settings.yml by name, of `as_of` and `as_of_on`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import duckdb
from pydantic import Field, StringConstraints, ValidationError

from activation.contract import mart_columns
from activation.rules import RuleError, compile_rule
from khach import publishing
from khach.config_csv import header_remedy, read_csv
from khach.config_mistakes import mistakes, suggest
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

    segment_id: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$", examples=["gold_at_risk"])]
    """Stands once; a row with the id of one of ours takes its place."""
    segment_name: Text
    """What it is called in English."""
    label_vi: Text
    """What it is called in Vietnamese."""
    kind: Literal["demographic", "geographic", "psychographic", "behavioural", "relationship"]
    """By what it tells customers apart."""
    description: Text
    """Who is in it, in words a marketer understands."""
    rule: Text
    """SQL condition over customers, customer_behaviours, thresholds, as_of and as_of_on."""
    owner: Text
    """The team that answers for it."""


def check_segments(env: Environment) -> list[Segment]:
    """The retailer's own segments; without a file there are none.

    Raises ConfigErrors in a group, every mistake with file, line, key and what would be right.
    """
    path = env.config / "segments.csv"
    if not path.exists():
        return []
    file = read_csv(path)
    wrong = list(_header_mistakes(path, file.header))
    if not wrong:
        wrong = [*file.misfits, *_name_mistakes(env, path, file.rows)]
        columns = rule_columns(env)
        for line, row in file.rows:
            wrong += _row_mistakes(path, line, row, columns)
    if wrong:
        raise ExceptionGroup("segments.csv", sorted(wrong, key=lambda mistake: mistake.line or 0))
    return [Segment.model_validate(row) for _, row in file.rows]


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
    declared = {row["segment_id"] for row in _rows(env.dbt_project / _SEED)}
    if (own := env.config / "segments.csv").exists():
        declared |= {row.get("segment_id") or "" for row in _rows(own)}
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
        for row in _rows(wards)
    }


def _header_mistakes(path: Path, header: list[str]) -> Iterator[ConfigError]:
    known = list(Segment.model_fields)
    fix = header_remedy(header, known)
    if len(header) == 1 or len(set(header)) < len(header):
        yield _error(path, 1, "", "segments.csv has another header", fix)
        return
    for name in header:
        if name not in known:
            yield _error(path, 1, name, f"unknown column {name!r}", suggest(name, known))
    for name in known:
        if name not in header:
            yield _error(path, 1, name, f"missing column {name!r}", fix)


def _name_mistakes(
    env: Environment, path: Path, rows: list[tuple[int, dict[str, str]]]
) -> Iterator[ConfigError]:
    """What is wrong with a row's id beside the others'."""
    kinds = {row["segment_kind"] for row in _rows(env.dbt_project / _SEED)} - {""}
    seen: dict[str, int] = {}
    for line, row in rows:
        name = row["segment_id"]
        if name in seen:
            message = f"segment {name!r} stands twice"
            yield _error(path, line, "segment_id", message, f"line {seen[name]} has it, too")
        elif any(name == kind or name.startswith(f"{kind}_") for kind in {*kinds, *OPEN_KINDS}):
            message = f"{name!r} is a name of an exclusive kind"
            yield _error(path, line, "segment_id", message, "another name")
        seen.setdefault(name, line)


def _row_mistakes(
    path: Path, line: int, row: dict[str, str], columns: dict[str, str]
) -> Iterator[ConfigError]:
    """What is wrong with a row by itself."""
    try:
        Segment.model_validate(row)
    except ValidationError as problem:
        for message, place, fix in mistakes(Segment, problem, row):
            yield _error(path, line, str(place[0]), message, fix)
    if not row["rule"].strip():
        return  # told above
    try:
        rule = compile_rule(row["rule"], columns)
    except RuleError as problem:
        yield _error(path, line, "rule", str(problem), problem.fix)
        return
    if rule.segments:
        asks = "the rule of a segment cannot ask for another segment"
        yield _error(path, line, "rule", asks, "write that one's rule out")


def _rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV; none when there is no file. ConfigError for one that does not fit."""
    if not path.exists():
        return []
    file = read_csv(path)
    if file.misfits:
        raise file.misfits[0]
    return [row for _, row in file.rows]


def _error(path: Path, line: int, key: str, message: str, fix: str | None = None) -> ConfigError:
    return ConfigError(message, file=path, line=line, key=key or None, fix=fix)
