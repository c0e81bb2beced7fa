"""A period, and what of the facts lies in it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from tests.e2e.recount.facts import Facts, Row

# Numerator and denominator; without a denominator the KPI is a sum or a count.
Answer = tuple[Fraction | int | None, int | None]


@dataclass(frozen=True)
class Period:
    """Whole days from `start` to the day before `end`; `today` is the first day not yet over."""

    start: date
    end: date
    today: date

    def of(self, rows: list[Row]) -> list[Row]:
        return [row for row in rows if self.start <= row["day"] < self.end]

    def over_for(self, days: int) -> bool:
        """Whether so many days have passed since the period for everything in it."""
        return self.end + timedelta(days) <= self.today


Formula = Callable[[Facts, Facts, Period], Answer]


def total(rows: list[Row], column: str) -> int:
    return sum(row[column] or 0 for row in rows)


def share(rows: list[Row], is_it: str) -> Answer:
    return sum(bool(row[is_it]) for row in rows), len(rows)


def known(rows: list[Row]) -> set[str]:
    return {row["customer"] for row in rows if row["customer"]}
