"""The retailer's own vocabularies: CSV files of the configuration that take a seed's place.

dbt reads them as they stand (macro `vocabulary`), so they are checked here before anything runs:
a generation too much would be a customer twice, a pattern too wide would block every value.
"""

import csv
import difflib
import functools
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import duckdb
from pydantic import Field, field_validator, model_validator

from khach.config_csv import Text, header_mistakes, parse_rows, read_csv
from khach.config_mistakes import WrongValueError
from khach.csv_cells import Count, Day, Rate, Year
from khach.environment import PROJECT, Environment
from khach.errors import ConfigError
from khach.names import fold
from khach.settings import Section

_ALL_YEARS = (-(10**6), 10**6)
# A pattern that fits all of these fits whatever a till writes.
_FITS = """
select bool_and(regexp_matches(probe, ?))
from (values (''), ('0'), ('a@b.vn')) as probes (probe)
"""


class Generation(Section):
    """A row of generations.csv: birth years, both ends included; an empty end is open."""

    generation: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$", examples=["gen_z"])]
    """Its id: a value of `customers.generation`, and the segment `generation_<id>`."""
    birth_year_from: Year
    """The first year of birth, included; empty: everybody born before."""
    birth_year_to: Year
    """The last year of birth, included; empty: everybody born since."""
    label_vi: Text
    """What it is called in Vietnamese."""

    @field_validator("generation")
    @classmethod
    def _is_no_word_of_ours(cls, name: str) -> str:
        if name == "unknown":
            raise WrongValueError(
                "unknown is everybody without a birth year", "another name; or leave the row out"
            )
        return name

    @model_validator(mode="after")
    def _has_years(self) -> "Generation":
        if self.years == _ALL_YEARS:
            raise WrongValueError("it has no years", "the first birth year, the last, or both")
        if self.years[0] > self.years[1]:
            raise WrongValueError("it ends before it begins", "birth_year_from <= birth_year_to")
        return self

    @property
    def years(self) -> tuple[int, int]:
        """First and last birth year, open ends as far as nobody is born."""
        first, last = _ALL_YEARS
        return (
            first if self.birth_year_from is None else self.birth_year_from,
            last if self.birth_year_to is None else self.birth_year_to,
        )


class ExchangeRate(Section):
    """A row of exchange_rates.csv: what one unit is worth in the reporting currency from a day."""

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["USD"])]
    """The currency (ISO 4217) that amounts of sources are in."""
    valid_from: Day
    """The first day the rate holds; it holds until the currency's next one."""
    rate: Rate
    """What one unit is worth in the reporting currency, at most 8 decimals."""


class BlockedIdentifier(Section):
    """A row of blocked_identifiers.csv: a pattern (RE2) of values that stand for nobody."""

    identifier_type: Literal[
        "user_id", "member_number", "external_id", "email", "phone", "anonymous_id", "device_id"
    ]
    """What the value is: of other types the pattern says nothing."""
    pattern: Text
    """Regular expression (RE2) that fits any part of the value; `^` and `$` for all of it."""
    reason: Text
    """Why such a value stands for nobody, in a word."""

    @field_validator("pattern")
    @classmethod
    def _fits_some_values(cls, pattern: str) -> str:
        try:
            fits = duckdb.execute(_FITS, [pattern]).fetchone()
        except duckdb.Error as problem:
            said = str(problem).removeprefix("Invalid Input Error: ").split(":")[0]
            fix = "the syntax of RE2; a backslash before a sign that stands for itself"
            raise WrongValueError(f"no regular expression: {said}", fix) from None
        if fits == (True,):
            fix = "^ and $ around what a value as a whole must be"
            raise WrongValueError("the pattern fits every value", fix)
        return pattern


class Population(Section):
    """A row of province_population.csv."""

    province: Text
    """A province by its name of today (34 in Viet Nam since 2025-07-01)."""
    population_count: Count
    """How many people live there, for `market_potential`."""

    @field_validator("province")
    @classmethod
    def _is_one_of_today(cls, province: str) -> str:
        plain = re.sub("[^a-z0-9]", "", fold(province))
        named = _provinces().get(re.sub("^(tinh|thanhpho|tp)", "", plain), province)
        if named != province:
            raise WrongValueError("no name of a province since 2025-07-01", f"{named}, once")
        return province


@functools.cache
def _provinces() -> dict[str, str]:
    """Province of today by what it, or one that became part of it, may be written like."""
    seed = PROJECT / "dbt_project/seeds/province_spellings.csv"
    with seed.open(encoding="utf-8") as file:
        return {row["spelling"]: row["province"] for row in csv.DictReader(file)}


# Each file's rows, and the columns that tell two of them apart.
FILES: dict[str, tuple[type[Section], tuple[str, ...]]] = {
    "generations.csv": (Generation, ("generation",)),
    "exchange_rates.csv": (ExchangeRate, ("currency", "valid_from")),
    "blocked_identifiers.csv": (BlockedIdentifier, ("identifier_type", "pattern")),
    "province_population.csv": (Population, ("province",)),
}
_OTHER_TABLES = ("segments.csv", "targets.csv")


def check_vocabularies(env: Environment) -> None:
    """Raise every mistake of these files, with its line and column, and misspelt names of files."""
    found = [mistake for path in sorted(env.config.glob("*.csv")) for mistake in _mistakes(path)]
    if found:
        raise ConfigError.first_of(found)


def _mistakes(path: Path) -> list[ConfigError]:
    if path.name not in FILES:
        # Other tables (a list of people nobody may contact) lie here, too.
        known = (*FILES, *_OTHER_TABLES)
        near = difflib.get_close_matches(path.name, known, n=1, cutoff=0.8)
        if path.name in known or not near:
            return []
        return [ConfigError("nothing reads this file", file=path, fix=f"rename it to {near[0]}")]
    model, key = FILES[path.name]
    try:
        file = read_csv(path)
    except ConfigError as problem:
        return [problem]
    if found := list(header_mistakes(path, file.header, list(model.model_fields))):
        return found
    rows, found = parse_rows(path, file.rows, model)
    found += file.misfits
    found += _repeats(path, rows, key)
    found += _overlaps(path, [(line, row) for line, row in rows if isinstance(row, Generation)])
    return sorted(found, key=lambda mistake: mistake.line or 0)


def _repeats(
    path: Path, rows: Sequence[tuple[int, Section]], key: Sequence[str]
) -> Iterator[ConfigError]:
    seen: dict[tuple[object, ...], int] = {}
    for line, row in rows:
        place = tuple(getattr(row, column) for column in key)
        if place in seen:
            told = f"the same {' and '.join(key)} as in line {seen[place]}"
            yield ConfigError(told, file=path, line=line, key=key[0], fix="keep one of the two")
        seen.setdefault(place, line)


def _overlaps(path: Path, rows: list[tuple[int, Generation]]) -> Iterator[ConfigError]:
    """A year of two generations: whoever is born in it would be a customer twice."""
    for (before, earlier), (line, later) in pairwise(sorted(rows, key=lambda row: row[1].years)):
        if later.years[0] <= earlier.years[1]:
            told = (
                f"years of this generation are years of {earlier.generation} (line {before}), too"
            )
            fix = "let it begin in the year after the other ends"
            yield ConfigError(told, file=path, line=line, key="birth_year_from", fix=fix)
