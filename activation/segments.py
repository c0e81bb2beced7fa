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
from pydantic import Field

from activation.contract import mart_columns
from activation.rules import RuleError, compile_rule
from khach import publishing
from khach.config_csv import Text, header_mistakes, parse_rows, read_csv
from khach.config_mistakes import suggest
from khach.environment import Environment
from khach.errors import ConfigError
from khach.names import fold
from khach.settings import Section, Thresholds

# Kinds whose segments are the retailer's own words (macro exclusive_kinds), and stated answers.
OPEN_KINDS = (
    "marital_status", "occupation", "income_band", "country", "province", "ward", "store",
    "category", "channel", "answer",
)  # fmt: skip
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

    Raises ConfigError: every mistake with file, line, key and what would be right.
    """
    path = env.config / "segments.csv"
    if not path.exists():
        return []
    file = read_csv(path)
    wrong = list(header_mistakes(path, file.header, list(Segment.model_fields)))
    segments: list[tuple[int, Segment]] = []
    if not wrong:
        segments, misfits = parse_rows(path, file.rows, Segment)
        wrong = [*file.misfits, *_name_mistakes(env, path, file.rows), *misfits]
        columns = rule_columns(env)
        for line, row in file.rows:
            wrong += _rule_mistakes(path, line, row["rule"], columns)
    if wrong:
        raise ConfigError.first_of(sorted(wrong, key=lambda mistake: mistake.line or 0))
    return [segment for _, segment in segments]


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
    declared = _declared(env)
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


def _declared(env: Environment) -> set[str]:
    """Segments that a file lists: the seed's, the retailer's own, and one for each generation."""
    seeds, generations = env.dbt_project / "seeds", env.config / "generations.csv"
    if not generations.exists():
        generations = seeds / generations.name
    return {
        row.get("segment_id") or ""
        for row in (*_rows(env.dbt_project / _SEED), *_rows(env.config / "segments.csv"))
        if row.get("segment_kind") != "generation" or row.get("segment_id") == "generation_unknown"
    } | {f"generation_{row.get('generation')}" for row in _rows(generations)}


def _provinces(env: Environment) -> set[str]:
    """Nobody may live there yet."""
    wards = env.dbt_project / "seeds" / "wards.csv"
    return {
        "province_" + re.sub("[^a-z0-9]+", "_", fold(row["province"])).strip("_")
        for row in _rows(wards)
    }


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


def _rule_mistakes(
    path: Path, line: int, text: str, columns: dict[str, str]
) -> Iterator[ConfigError]:
    if not text.strip():
        return  # told of the row
    try:
        rule = compile_rule(text, columns)
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
