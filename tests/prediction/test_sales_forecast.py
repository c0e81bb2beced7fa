"""The sales forecast: what it expects, that its intervals hold, and when it is refused."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prediction.sales_forecast import AHEAD, forecast, forecast_series

WEEK = np.array([1.0, 0.8, 0.9, 1.0, 1.2, 1.7, 1.4])
FIRST = date(2026, 1, 5)  # a Monday


def series(count: int, noise: float, seed: int = 1, level: float = 100.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    habits = level * WEEK[np.arange(count) % 7]
    return habits * random.gamma(1 / noise**2, noise**2, count) if noise else habits


def days(values: np.ndarray, slice_value: str = "all") -> pa.Table:
    return pa.table({
        "slice": ["all" if slice_value == "all" else "channel"] * len(values),
        "slice_value": [slice_value] * len(values),
        "on_date": pa.array([FIRST + timedelta(days=i) for i in range(len(values))], pa.date32()),
        "gross_amount": values,
        "order_count": np.round(values / 10).astype("int32"),
    })  # fmt: skip


@pytest.mark.parametrize("count", range(84, 98))
def test_the_habits_of_the_week_go_on_whatever_day_it_is(count: int) -> None:
    """Without noise the forecast is exact, on every day of the week and length of history."""
    found = forecast_series(series(count, 0.0))
    assert found is not None
    coming = series(count + AHEAD, 0.0)[count:]
    for values in (found.expected, found.lower, found.upper):
        assert values == pytest.approx(coming, rel=1e-9)
    assert found.error_share == pytest.approx(0, abs=1e-9)


def test_four_of_five_days_fall_into_the_interval_and_the_backtest_says_so() -> None:
    held, said = [], []
    for seed in range(60):
        values = series(200 + AHEAD, 0.25, seed)
        found = forecast_series(values[:200])
        assert found is not None
        coming = values[200:]
        held.append(((coming >= found.lower) & (coming <= found.upper)).mean())
        said.append(found.coverage)
    assert np.mean(held) == pytest.approx(0.8, abs=0.04)
    assert np.mean(said) == pytest.approx(np.mean(held), abs=0.05)


def test_coverage_is_judged_by_earlier_errors_only() -> None:
    """Sales that triple leave every interval that was known before."""
    jump = np.concatenate([series(100, 0.1), 3 * series(14, 0.1)])
    steady, jumped = forecast_series(series(114, 0.1)), forecast_series(jump)
    assert steady is not None
    assert jumped is not None
    assert jumped.coverage < steady.coverage - 0.1


@given(st.lists(st.integers(0, 5), min_size=84, max_size=130), st.floats(1, 1e9))
def test_forecasts_scale_with_the_unit_and_are_never_negative(
    values: list[int], unit: float
) -> None:
    small, large = (
        forecast_series(np.array(values, float)),
        forecast_series(np.array(values) * unit),
    )
    assert (small is None) == (large is None)
    if small is not None and large is not None:
        assert large.expected == pytest.approx(small.expected * unit, rel=1e-6)
        assert (small.lower >= 0).all()
        assert (small.upper >= small.lower).all()
        assert 0 <= small.coverage <= 1


def test_each_series_has_four_weeks_ahead_or_says_why_not() -> None:
    web, shop = days(series(100, 0.1), "web"), days(series(83, 0.1), "store")
    gone = days(np.concatenate([series(100, 0.1), np.zeros(28)]), "app")
    table = pa.concat_tables([days(series(100, 0.2)), web, shop, gone])
    shuffled = table.take(np.random.default_rng(0).permutation(len(table)))
    found = forecast(shuffled)
    assert found.equals(forecast(table))
    rows = found.to_pylist()
    coming = {(row["slice_value"], row["measure"], row["forecast_on"]) for row in rows
              if row["reason"] is None}  # fmt: skip
    last = FIRST + timedelta(days=99)
    assert coming == {
        (value, measure, last + timedelta(days=ahead))
        for value in ("all", "web")
        for measure in ("gross_amount", "order_count")
        for ahead in range(1, AHEAD + 1)
    }
    refused = {(row["slice_value"], row["reason"]) for row in rows if row["reason"]}
    assert refused == {
        ("store", "too short a history: 83 days of 84 needed"),
        ("app", "sales too rare: none in the last 28 days, or too few to judge by"),
    }
    assert len(forecast(table.slice(0, 0))) == 0
