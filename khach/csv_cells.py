"""Cells of a configuration's CSV in the one form that dbt's engine reads, too.

Pydantic alone would take more: 1_000 for a number, 20260101 for a date.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field

from khach.config_mistakes import WrongValueError

Parsed = TypeVar("Parsed")


def _cell(pattern: str, parse: Callable[[str], Parsed], what: str, fix: str) -> BeforeValidator:
    """Parsed when the pattern fits all of the cell."""

    def parsed(cell: object) -> Parsed:
        if isinstance(cell, str) and re.fullmatch(pattern, cell):
            with suppress(ValueError):  # 2026-02-30
                return parse(cell)
        raise WrongValueError(f"no {what}", fix)

    return BeforeValidator(parsed)


def _year(cell: str) -> int | None:
    return int(cell) if cell else None


Year = Annotated[int | None, _cell(r"(\d{4})?", _year, "year", "such as 1997; empty is open")]
Day = Annotated[
    date, _cell(r"\d{4}-\d\d-\d\d", date.fromisoformat, "date", "a date such as 2026-06-30")
]
Rate = Annotated[
    Decimal,
    _cell(r"\d{1,10}(\.\d{1,8})?", Decimal, "rate", "such as 25400 or 0.0394, at most 8 decimals"),
    Field(gt=0),
]
Count = Annotated[int, _cell(r"\d{1,12}", int, "number", "digits alone, such as 8435700")]
