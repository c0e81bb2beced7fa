"""BG/NBD and Gamma-Gamma: recover what was simulated, obey their laws, match the published fit."""

import csv
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from khach.environment import load_environment
from prediction import bg_nbd, gamma_gamma
from prediction.bg_nbd import BgNbd, Histories
from prediction.customer_value import PURCHASES, VALUES, fit, predict
from prediction.fits import Refused, figure

ZEROS = ("recency_weeks", "age_weeks", "repeat_amount", "calibration_repeat_day_count",
    "calibration_recency_weeks", "calibration_age_weeks", "calibration_repeat_amount",
    "holdout_weeks", "holdout_day_count", "holdout_amount")  # fmt: skip
PUBLISHED = BgNbd(0.2426, 4.4135, 0.7929, 2.4258, -9582.43)


def table(**columns: Any) -> pa.Table:
    """Customers without a holdout, and what the columns say."""
    count = len(columns["repeat_day_count"])
    zero = np.zeros(count)
    base = dict.fromkeys(ZEROS, zero)
    return pa.table({"customer_id": [f"C{i:05d}" for i in range(count)], **base, **columns})


def simulated(count: int, leave: float, seed: int = 5, worth: float = 8.0) -> pa.Table:
    """Customers of a shop of 60 weeks as the models tell it, 30 of them held out."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        start, rate = random.uniform(0, 25), random.gamma(0.8, 1 / 6.0)
        stays = 1 - (random.beta(leave, 2.5) if leave else 0.0)
        at, days = 0.0, []
        while random.random() < stays or not days:
            at += random.exponential(1 / rate)
            if start + at > 60:
                break
            days.append(at)
        nu = random.gamma(worth, 1 / 20.0)
        values = random.gamma(4.0, 1 / nu, len(days))
        rows.append((start, np.array(days), values))
    columns: dict[str, list[float]] = {}
    for start, days, values in rows:
        early = days[start + days <= 30]
        late = values[start + days > 30]
        facts = {
            "repeat_day_count": len(days), "recency_weeks": days[-1] if len(days) else 0.0,
            "age_weeks": 60 - start, "repeat_amount": values.mean() if len(days) else 0.0,
            "calibration_repeat_day_count": len(early),
            "calibration_recency_weeks": early[-1] if len(early) else 0.0,
            "calibration_age_weeks": 30 - start,
            "calibration_repeat_amount": values[: len(early)].mean() if len(early) else 0.0,
            "holdout_weeks": 30.0, "holdout_day_count": len(late), "holdout_amount": late.sum(),
        }  # fmt: skip
        for name, value in facts.items():
            columns.setdefault(name, []).append(float(value))
    return table(**columns)


@pytest.fixture(scope="module")
def shop() -> pa.Table:
    return simulated(4000, leave=1.2)


@pytest.fixture(scope="module")
def cdnow() -> dict[str, np.ndarray]:
    """The shipped calibration table of the 1/10 sample."""
    file = load_environment().samples / "cdnow" / "cdnow_sample_cbs_39w_with_value.csv"
    if not file.exists():
        pytest.skip(f"no sample data: {file} is absent ($KHACH_SAMPLES)")
    with file.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    return {
        name: np.array([float(row[name]) for row in rows]) for name in ("x", "t_x", "T", "zbar")
    }


@pytest.mark.samples
def test_the_published_fit_of_cdnow_is_found_again(cdnow: dict[str, np.ndarray]) -> None:
    histories, place = Histories.of(cdnow["x"], cdnow["t_x"], cdnow["T"])
    found = bg_nbd.fit(histories)
    for name in ("r", "alpha", "a", "b"):
        assert getattr(found, name) == pytest.approx(getattr(PUBLISHED, name), abs=1e-3)
    assert found.log_likelihood == pytest.approx(-9582.43, abs=0.01)
    assert histories.count.sum() == len(place) == 2357
    repeats = found.expected_since_first(cdnow["T"] + 39).sum()
    assert repeats == pytest.approx(4339, rel=0.05)
    buyers = cdnow["x"] > 0
    assert buyers.sum() == 946
    worth = gamma_gamma.fit(cdnow["x"][buyers], cdnow["zbar"][buyers])
    assert (worth.p, worth.q) == (pytest.approx(6.249, abs=1e-3), pytest.approx(3.745, abs=1e-3))
    assert worth.v == pytest.approx(15.448, abs=1e-3)


def test_the_models_recover_what_was_simulated(shop: pa.Table) -> None:
    fits = fit(shop)
    assert not any(fits["is_refused"].to_pylist()), fits["reason"].to_pylist()
    found = {name: figure(fits, "bg_nbd", name) for name in PURCHASES}
    # r and alpha are told best as the mean rate, a and b as the mean chance to leave.
    assert found["r"] == pytest.approx(0.8, rel=0.2)
    assert found["r"] / found["alpha"] == pytest.approx(0.8 / 6, rel=0.15)
    assert found["a"] / (found["a"] + found["b"]) == pytest.approx(1.2 / 3.7, rel=0.15)
    worth = {name: figure(fits, "gamma_gamma", name) for name in VALUES}
    mean = worth["p"] * worth["v"] / (worth["q"] - 1)
    assert mean == pytest.approx(4 * 20 / 7, rel=0.05)
    assert abs(found["holdout_total_error"]) < 0.1
    assert found["holdout_rmse"] < found["holdout_naive_rmse"]
    assert abs(worth["holdout_amount_error"]) < 0.15


def test_order_and_unit_of_the_rows_say_nothing(shop: pa.Table) -> None:
    shuffled = shop.take(np.random.default_rng(0).permutation(len(shop)))
    first, second = fit(shop), fit(shuffled)
    assert first.equals(second)
    scores = predict(shop, first, margin_rate=0.4, discount_rate=0.1)
    again = predict(shuffled, second, margin_rate=0.4, discount_rate=0.1)
    assert scores.sort_by("customer_id").equals(again.sort_by("customer_id"))


def test_value_is_margin_times_discounted_expected_revenue(shop: pa.Table) -> None:
    fits = fit(shop)

    def amounts(margin: float, discount: float) -> np.ndarray:
        scores = predict(shop, fits, margin_rate=margin, discount_rate=discount)
        return scores["predicted_clv_12m_amount"].to_numpy()

    undiscounted = amounts(1.0, 0.0)
    model = BgNbd(*(figure(fits, "bg_nbd", name) for name in PURCHASES[:5]))
    x, t_x, age, each = (shop[name].to_numpy() for name in (
        "repeat_day_count", "recency_weeks", "age_weeks", "repeat_amount"))  # fmt: skip
    histories, place = Histories.of(x, t_x, age)
    worth = gamma_gamma.GammaGamma(*(figure(fits, "gamma_gamma", n) for n in VALUES[:4]))
    year = model.expected(histories, 365.25 / 7)[place] * worth.expected(x, each)
    assert undiscounted == pytest.approx(year, rel=1e-9)
    assert amounts(0.4, 0.0) == pytest.approx(0.4 * undiscounted)
    # Half a year on average at 10 % a year.
    assert amounts(1.0, 0.1).sum() == pytest.approx(undiscounted.sum() * 1.1**-0.54, rel=0.01)


def test_where_nobody_leaves_everybody_is_active_and_buys_at_their_rate() -> None:
    shop = simulated(1500, leave=0.0, worth=8.0)
    fits = fit(shop)
    assert figure(fits, "bg_nbd", "a") is not None, fits["reason"].to_pylist()[0]
    model = BgNbd(0.8, 6.0, 0.0, 1.0, 0.0)
    histories = Histories.of(np.array([0.0, 3.0]), np.array([0.0, 9.0]), np.array([9.0, 10.0]))[0]
    assert model.p_alive(histories).tolist() == [1.0, 1.0]
    assert model.expected(histories, 5.0) == pytest.approx([0.8 / 15 * 5, 3.8 / 16 * 5], rel=1e-5)


HISTORY = st.tuples(
    st.integers(0, 60), st.floats(0.2, 100), st.floats(0.0, 1.0), st.floats(0.1, 104)
)
PARAMETERS = st.tuples(*[st.floats(0.05, 8.0)] * 4)


@given(histories=st.lists(HISTORY, min_size=1, max_size=12), parameters=PARAMETERS)
def test_the_gradients_are_those_of_the_likelihoods(histories: list, parameters: tuple) -> None:
    x, age, share, z = (np.array(column, dtype=float) for column in zip(*histories, strict=True))
    likelihood = bg_nbd.Likelihood(Histories.of(x, np.where(x > 0, age * share, 0.0), age)[0])
    at = np.array(parameters)
    expected = approx_fprime(at, lambda p: likelihood(p)[0], 1e-7)
    assert likelihood(at)[1] == pytest.approx(expected, rel=1e-3, abs=1e-3)
    worth = gamma_gamma.Likelihood(np.maximum(x, 1), z)
    expected = approx_fprime(at[:3], lambda p: worth(p)[0], 1e-7)
    assert worth(at[:3])[1] == pytest.approx(expected, rel=1e-3, abs=1e-2)


@given(history=HISTORY, parameters=PARAMETERS, ahead=st.floats(0.1, 104))
def test_chances_and_expectations_obey_their_laws(
    history: tuple, parameters: tuple, ahead: float
) -> None:
    model = BgNbd(*parameters, 0.0)
    x, age, share, _ = history
    near, far = max(share, 0.01) * age, min(1.0, share + 0.3) * age
    ages = np.array([age, age, age])
    last = np.array([near, max(near, far), 0.0]) if x else np.zeros(3)
    of = Histories(np.array([x, x, 0.0]), last, ages, np.ones(3))
    earlier, later, single = model.p_alive(of)
    assert 0 <= earlier <= later <= 1
    assert single == 1
    soon, late = model.expected(of, ahead / 2), model.expected(of, ahead)
    assert (soon >= -1e-9).all()
    assert (late >= soon - 1e-9).all()
    assert late[0] <= (model.r + x) * ahead / (model.alpha + age) * (1 + 1e-9)  # NBD's


def test_expectation_is_the_integral_of_simulated_customers() -> None:
    """E[Y(t) | x, t_x, T] against customers drawn from the prior and kept by their history."""
    model, random = BgNbd(2.0, 10.0, 1.5, 3.0, 0.0), np.random.default_rng(3)
    rate, leave = random.gamma(2.0, 1 / 10.0, 400_000), random.beta(1.5, 3.0, 400_000)
    # Likelihood of x = 2 at t_x = 6 of T = 10, active or gone since t_x (formula 3 of the paper).
    active = (1 - leave) ** 2 * rate**2 * np.exp(-rate * 10)
    gone = leave * (1 - leave) * rate**2 * np.exp(-rate * 6)
    expected = (active * (1 - np.exp(-leave * rate * 8)) / leave).sum() / (active + gone).sum()
    of = Histories.of(np.array([2.0]), np.array([6.0]), np.array([10.0]))[0]
    assert model.expected(of, 8.0)[0] == pytest.approx(expected, rel=0.01)
    assert model.p_alive(of)[0] == pytest.approx(active.sum() / (active + gone).sum(), rel=0.01)


def changed(customers: pa.Table, name: str, values: np.ndarray) -> pa.Table:
    """The customers with another column of a name."""
    return customers.set_column(customers.column_names.index(name), name, pa.array(values))


def refusals(customers: pa.Table) -> dict[str, str]:
    """model -> reason; a refused model's rows have no value, and nobody has a score of it."""
    fits = fit(customers)
    rows = [row for row in fits.to_pylist() if row["is_refused"]]
    assert all(row["value"] is None and row["reason"] for row in rows)
    scores = predict(customers, fits, margin_rate=0.4, discount_rate=0.1)
    assert scores["predicted_clv_12m_amount"].null_count == len(scores)
    refused = {row["model"]: row["reason"] for row in rows}
    assert scores["p_alive"].null_count == (len(scores) if "bg_nbd" in refused else 0)
    return refused


def test_refusals_say_why(shop: pa.Table) -> None:
    few = refusals(shop.slice(0, 100))
    assert "too few repeat buyers" in few["bg_nbd"]
    assert "too few repeat buyers" in few["gamma_gamma"]
    short = changed(shop, "age_weeks", np.full(len(shop), 11.0))
    assert "too short a history: 11.0 weeks" in refusals(short)["bg_nbd"]
    correlated = refusals(
        changed(shop, "repeat_amount", shop["repeat_day_count"].to_numpy() * 10.0)
    )
    assert list(correlated) == ["gamma_gamma"]
    assert "correlated (1.00" in correlated["gamma_gamma"]
    assert "too short a history: 0.0" in refusals(shop.slice(0, 0))["bg_nbd"]
    silent = changed(shop, "holdout_day_count", np.zeros(len(shop)))
    assert "nobody bought in the part that was held out" in refusals(silent)["bg_nbd"]
    # Everybody goes on as before, and nobody ever leaves: the rate so far is the better word.
    x, age, weeks = (
        np.asarray(shop[name].fill_null(0.0), dtype=float)
        for name in ("calibration_repeat_day_count", "calibration_age_weeks", "holdout_weeks")
    )
    rate = np.divide(x, age, out=np.zeros(len(x)), where=age > 0)
    steady = changed(shop, "holdout_day_count", rate * weeks)
    assert "rate so far (x / T) says better" in refusals(steady)["bg_nbd"]


def test_no_convergence_is_a_refusal() -> None:
    # Everybody buys once more in the first week and never again: no rate explains it.
    count = 500
    age = np.linspace(20, 30, count)
    histories = Histories.of(np.full(count, 1.0), np.full(count, 0.5), age)[0]
    with pytest.raises(Refused, match="no convergence"):
        bg_nbd.fit(histories)


def test_every_customer_counts_once_in_the_distinct_histories() -> None:
    random = np.random.default_rng(1)
    x, t_x = random.integers(0, 3, 1000).astype(float), random.integers(0, 4, 1000) / 7
    age = random.integers(5, 7, 1000) / 7
    histories, place = Histories.of(x, t_x, age)
    assert math.isclose(histories.count.sum(), 1000)
    assert len(histories.x) < 40
    assert np.array_equal(np.stack([histories.x, histories.t_x, histories.age])[:, place],
                          np.stack([x, t_x, age]))  # fmt: skip
