"""Sales of the coming days: the level of the last four weeks x the habits of the week.

A day is expected to bring the mean of the last 28 days times its weekday's share of it (over the
last 56 days where there are so many). The 80 % interval is what the errors of the same forecast,
made at the end of each earlier week and divided by its level, left outside at either end. Its
coverage is counted the same way: at each of those days the interval is made of the errors known
by then only, and held against the days that followed.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prediction.likelihood import Floats

WEEK, LEVEL_DAYS, HABIT_DAYS, AHEAD = 7, 28, 56, 28
SHORTEST_DAYS, FEWEST_ERRORS, INTERVAL = 84, 14, 0.8
MEASURES = ("gross_amount", "order_count")
SCHEMA = pa.schema(
    [
        ("slice", pa.string()),
        ("slice_value", pa.string()),
        ("measure", pa.string()),
        ("forecast_on", pa.date32()),
        ("expected", pa.float64()),
        ("lower_80", pa.float64()),
        ("upper_80", pa.float64()),
        ("coverage_80", pa.float64()),
        ("error_share", pa.float64()),
        ("reason", pa.string()),
    ]
)


class Forecast(NamedTuple):
    """A series' coming days, and how the same forecast did on the days that are known."""

    expected: Floats
    lower: Floats
    upper: Floats
    coverage: float  # of 80 % intervals, of the days judged by earlier errors only
    error_share: float  # sum of absolute errors / sum of actuals


def forecast(days: pa.Table) -> pa.Table:
    """A row per series and day ahead; a row without a day, with the reason, for a refused one.

    `days`: `slice`, `slice_value`, `on_date` and a column per measure; every day of a series from
    its first sale to the last complete day, zeros too.
    """
    rows: list[tuple[object, ...]] = []
    for kind, value, last_on, measure, series in _series(days):
        name = (kind, value, measure)
        if len(series) < SHORTEST_DAYS:
            reason = f"too short a history: {len(series)} days of {SHORTEST_DAYS} needed"
            rows.append((*name, None, None, None, None, None, None, reason))
            continue
        found = forecast_series(series)
        if found is None:
            reason = f"sales too rare: none in the last {LEVEL_DAYS} days, or too few to judge by"
            rows.append((*name, None, None, None, None, None, None, reason))
            continue
        for ahead, ends in enumerate(
            zip(found.expected, found.lower, found.upper, strict=True), start=1
        ):
            on = last_on + timedelta(days=ahead)
            rows.append((*name, on, *ends, found.coverage, found.error_share, None))
    columns = list(zip(*rows, strict=True)) or [()] * len(SCHEMA)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], SCHEMA)


def forecast_series(series: Floats) -> Forecast | None:
    """The coming days of one series of days without gaps; None where it can't be judged."""
    origins = range(len(series) - WEEK, LEVEL_DAYS - 1, -WEEK)
    targets, errors, actuals, scaled = [], [], [], []
    for origin in sorted(origins):
        expected, level = _expected(series[:origin])
        actual = series[origin : origin + AHEAD]
        if level > 0:
            error = actual - expected[: len(actual)]
            targets.append(np.arange(origin, origin + len(actual), dtype=np.intp))
            errors.append(error)
            actuals.append(actual)
            scaled.append(error / level)
    coverage = _coverage(targets, scaled)
    if coverage is None or not series[-LEVEL_DAYS:].any():
        return None
    lower, upper = _ends(np.concatenate(scaled))
    expected, level = _expected(series)
    return Forecast(
        expected,
        np.maximum(expected + lower * level, 0.0),
        np.maximum(expected + upper * level, 0.0),
        coverage,
        float(np.abs(np.concatenate(errors)).sum() / max(np.concatenate(actuals).sum(), 1e-12)),
    )


def _expected(known: Floats) -> tuple[Floats, float]:
    """The next days, and their level; the first of them is a week after the seventh last day."""
    level = float(known[-LEVEL_DAYS:].mean())
    weeks = min(len(known), HABIT_DAYS) // WEEK
    habits = known[len(known) - weeks * WEEK :].reshape(weeks, WEEK).mean(axis=0)
    mean = habits.mean()
    shares = habits / mean if mean > 0 else np.ones(WEEK)
    return np.asarray(np.tile(shares, AHEAD // WEEK) * level), level


def _ends(errors: Floats) -> tuple[float, float]:
    outside = (1 - INTERVAL) / 2
    lower, upper = np.quantile(errors, [outside, 1 - outside])
    return float(lower), float(upper)


def _coverage(targets: list[NDArray[np.intp]], scaled: list[Floats]) -> float | None:
    """Of the days ahead of each origin, the share inside the interval of the errors known then."""
    inside = judged = 0
    for place, target in enumerate(targets):
        known = [
            error[days < target[0]]
            for days, error in zip(targets[:place], scaled[:place], strict=True)
        ]
        earlier = np.concatenate(known) if known else np.array([])
        if len(earlier) < FEWEST_ERRORS:
            continue
        lower, upper = _ends(earlier)
        inside += int(((scaled[place] >= lower) & (scaled[place] <= upper)).sum())
        judged += len(target)
    return inside / judged if judged else None


def _series(days: pa.Table) -> Iterator[tuple[str, str, date, str, Floats]]:
    """Every slice and measure, in order."""
    ordered = days.sort_by([(name, "ascending") for name in ("slice", "slice_value", "on_date")])
    kinds, values = ordered["slice"].to_pylist(), ordered["slice_value"].to_pylist()
    keys = list(zip(kinds, values, strict=True))
    starts = [at for at, key in enumerate(keys) if at == 0 or key != keys[at - 1]]
    ends = [*starts[1:], len(keys)][: len(starts)]
    for start, end in zip(starts, ends, strict=True):
        part = ordered.slice(start, end - start)
        for measure in MEASURES:
            series = part[measure].cast(pa.float64()).to_numpy(zero_copy_only=False)
            yield *keys[start], part["on_date"][-1].as_py(), measure, np.asarray(series)
