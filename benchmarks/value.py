"""Customer value at a million customers: distinct histories, both fits with holdout, every score.

Customers of three years as the models tell it, each with purchases and a mean value of their own;
the second half of the history is held out, as in a run. All of `customer_value_fits` and of
`customer_values` is in the figure, Arrow to Arrow; what is recovered is printed beside it.
"""

import resource
import time

import numpy as np
import pyarrow as pa

from prediction.customer_value import fit, predict
from prediction.fits import figure

CUSTOMERS, DAYS, HELD_OUT = 1_000_000, 728, 364
R, ALPHA, A, B = 0.6, 12.0, 0.8, 3.0  # weeks
SECONDS_BAR, GIB_BAR = 30.0, 4.0


def run() -> bool:
    """Simulate, fit, score."""
    customers = _customers()
    started = time.perf_counter()
    fits = fit(customers)
    fitted = time.perf_counter() - started
    scores = predict(customers, fits, margin_rate=0.4, discount_rate=0.1)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    found = [figure(fits, "bg_nbd", name) or 0.0 for name in ("r", "alpha", "a", "b")]
    error = figure(fits, "bg_nbd", "holdout_total_error")
    nulls = scores["predicted_clv_12m_amount"].null_count
    named = zip(("r", "alpha", "a", "b"), found, (R, ALPHA, A, B), strict=True)
    print(", ".join(f"{name} {value:.3f} ({true})" for name, value, true in named))
    print(
        f"value: {CUSTOMERS:,} customers fitted, judged and scored in {seconds:.1f} s "
        f"(bar {SECONDS_BAR:.0f} s; fits {fitted:.1f} s), {peak:.1f} GiB (bar {GIB_BAR:.0f}), "
        f"holdout total {error:+.1%}"
    )
    is_near = np.allclose(found, (R, ALPHA, A, B), rtol=0.1)
    return seconds < SECONDS_BAR and peak < GIB_BAR and is_near and nulls == 0


def _customers() -> pa.Table:
    random = np.random.default_rng(7)
    first = random.integers(0, DAYS - 14, CUSTOMERS)
    rate = random.gamma(R, 1 / ALPHA, CUSTOMERS) / 7
    leave = random.beta(A, B, CUSTOMERS)
    at, active = np.zeros(CUSTOMERS), np.ones(CUSTOMERS, dtype=bool)
    facts = {name: np.zeros(CUSTOMERS) for name in ("x", "last", "early", "early_last", "late")}
    day = np.zeros(CUSTOMERS)
    cut = DAYS - HELD_OUT - first
    while active.any():
        at += random.exponential(1 / rate)
        bought = np.ceil(at)
        # Several purchases of one day count once.
        active &= bought <= DAYS - first
        is_new = active & (bought > day)
        day = np.where(active, bought, day)
        facts["x"] += is_new
        facts["last"] = np.where(is_new, bought, facts["last"])
        facts["early"] += is_new & (bought <= cut)
        facts["early_last"] = np.where(is_new & (bought <= cut), bought, facts["early_last"])
        facts["late"] += is_new & (bought > cut)
        active &= random.random(CUSTOMERS) >= leave
    each = random.gamma(4.0, 1 / random.gamma(8.0, 1 / 200_000, CUSTOMERS))
    was_there = cut >= 0
    return pa.table({
        "customer_id": np.char.add("C", np.arange(CUSTOMERS).astype(str)),
        "repeat_day_count": facts["x"].astype(np.int32),
        "recency_weeks": facts["last"] / 7,
        "age_weeks": (DAYS - first) / 7,
        "repeat_amount": pa.array(each, mask=facts["x"] == 0),
        "calibration_repeat_day_count": pa.array(facts["early"], mask=~was_there),
        "calibration_recency_weeks": pa.array(facts["early_last"] / 7, mask=~was_there),
        "calibration_age_weeks": pa.array(cut / 7, mask=~was_there),
        "calibration_repeat_amount": pa.array(each, mask=facts["early"] == 0),
        "holdout_weeks": np.full(CUSTOMERS, HELD_OUT / 7),
        "holdout_day_count": facts["late"].astype(np.int32),
        "holdout_amount": facts["late"] * each,
    })  # fmt: skip
