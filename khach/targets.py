"""targets.csv: what the business wants its KPIs to reach, checked before anything runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Literal, TypeVar

from khach.config_csv import header_remedy, read_csv
from khach.config_mistakes import suggest
from khach.environment import Environment
from khach.errors import ConfigError
from khach.kpi_catalogue import GRAINS, bounds_by_kpi, slices_by_kpi
from khach.settings import Section


class Target(Section):
    """A row of targets.csv; `_row_mistakes` checks it, which knows the KPIs and their slices."""

    kpi: str
    """The KPI's name in the catalogue (docs/kpi-catalogue.md)."""
    grain: Literal["day", "week", "month"]
    """How long the period is that the target is for."""
    period_start: date
    """The first day of the period: of a week its Monday, of a month its first day."""
    slice: str
    """What the KPI is sliced by, of what the catalogue has for it; `all` for the whole."""
    slice_value: str
    """The value of the slice that the target is for; `all` for the whole."""
    target: Decimal
    """What the KPI shall reach; rates and shares lie in 0..1: 45 % is 0.45."""


COLUMNS = tuple(Target.model_fields)
_LARGEST = Decimal(10) ** 20  # the marts hold decimal(28,8)
_HUNDRED = 100
Row = Mapping[str, str]
Value = TypeVar("Value")


def check_targets(env: Environment) -> None:
    """Raise every mistake of targets.csv, each with its line and column."""
    path = env.config / "targets.csv"
    if not path.exists():
        return
    mistakes = sorted(_mistakes(path), key=lambda mistake: mistake.line or 0)
    if mistakes:
        raise ConfigError.first_of(mistakes)


def _mistakes(path: Path) -> Iterator[ConfigError]:
    file = read_csv(path)
    if sorted(file.header) != sorted(COLUMNS):
        fix = header_remedy(file.header, COLUMNS)
        yield ConfigError("targets.csv has another header", file=path, line=1, fix=fix)
        return
    yield from file.misfits
    slices, bounds = slices_by_kpi(), bounds_by_kpi()
    seen: dict[tuple[str, ...], int] = {}
    for line, row in file.rows:
        for column, message, remedy in _row_mistakes(row, slices, bounds.get(row["kpi"])):
            yield ConfigError(message, file=path, line=line, key=column, fix=remedy)
        place = tuple(row[column] for column in COLUMNS[:-1])
        if place in seen:
            message = f"the target of line {seen[place]} stands here again"
            yield ConfigError(message, file=path, line=line, fix="keep one of the two")
        seen.setdefault(place, line)


def _row_mistakes(
    row: Row, slices: Mapping[str, Sequence[str]], bounds: tuple[int, int] | None
) -> Iterator[tuple[str, str, str | None]]:
    """Column, message and fix of each mistake in a row."""
    kpi, grain, name = row["kpi"], row["grain"], row["slice"]
    if kpi not in slices:
        yield "kpi", f"unknown KPI {kpi!r}", suggest(kpi, sorted(slices))
    elif name not in slices[kpi]:
        fix = suggest(name, slices[kpi])
        yield "slice", f"{kpi} is not published by {name!r}", fix
    if grain not in GRAINS:
        yield "grain", f"unknown grain {grain!r}", suggest(grain, GRAINS)
    start = _parsed(date.fromisoformat, row["period_start"])
    if start is None:
        yield "period_start", "no date", "a date such as 2026-06-01"
    elif grain == "week" and start.weekday() != 0:
        monday = date.fromordinal(start.toordinal() - start.weekday())
        yield "period_start", "a week begins on Monday", f"{monday}"
    elif grain == "month" and start.day != 1:
        yield "period_start", "a month begins on its first day", f"{start.replace(day=1)}"
    if not row["slice_value"] or (name == "all") != (row["slice_value"] == "all"):
        fix = "all" if name == "all" else f"a value of {name}, or slice all"
        yield "slice_value", "slice and slice_value do not fit together", fix
    target = _parsed(Decimal, row["target"])
    if target is None or not target.is_finite() or abs(target) >= _LARGEST:
        yield "target", "no number", "a number such as 1200000 or 0.35"
    elif bounds and not bounds[0] <= target <= bounds[1]:
        least, most = bounds
        fix = f"a number from {least} to {most}"
        if most == 1 and least <= target / _HUNDRED <= most:
            fix = f"{(target / _HUNDRED).normalize():f} means {target.normalize():f} %"
        yield "target", f"{kpi} is never {row['target']}, it lies between {least} and {most}", fix


def _parsed(parse: Callable[[str], Value], text: str) -> Value | None:
    try:
        return parse(text)
    except (ValueError, InvalidOperation):
        return None
