"""Customer value: BG/NBD x Gamma-Gamma over the customers' purchase days, and how well it does.

The input has a row per customer with a purchase day: `repeat_day_count` (x), `recency_weeks`
(t_x), `age_weeks` (T), `repeat_amount` (mean value of a repeat day); the same four with the prefix
`calibration_` as of the start of the held-out part (null for who came later), and what that part
held: `holdout_weeks`, `holdout_day_count`, `holdout_amount`.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from prediction import bg_nbd, gamma_gamma
from prediction.bg_nbd import BgNbd, Histories
from prediction.fits import Fit, Refused, figure, fit_table
from prediction.gamma_gamma import GammaGamma
from prediction.likelihood import Floats

FEWEST_REPEAT_BUYERS, SHORTEST_WEEKS, MOST_CORRELATION = 100, 12.0, 0.3
WEEKS_PER_MONTH, MONTHS = 365.25 / 12 / 7, 12
HISTORY = ("repeat_day_count", "recency_weeks", "age_weeks")
PURCHASES = ("r", "alpha", "a", "b", "log_likelihood", "repeat_customer_count", "holdout_rmse",
    "holdout_total_error", "holdout_top_decile_share", "holdout_naive_rmse",
    "holdout_naive_total_error")  # fmt: skip
VALUES = ("p", "q", "v", "log_likelihood", "repeat_customer_count", "correlation",
    "holdout_amount_error")  # fmt: skip
SCORES = pa.schema(
    [
        ("customer_id", pa.string()),
        ("p_alive", pa.float64()),
        ("predicted_clv_12m_amount", pa.float64()),
    ]
)


def fit(customers: pa.Table) -> pa.Table:
    """Both models' parameters and accuracy, or why they were refused (`fits.SCHEMA`)."""
    return fit_table(_fits(customers))


def predict(
    customers: pa.Table, fits: pa.Table, *, margin_rate: float, discount_rate: float
) -> pa.Table:
    """Each customer's p_alive and value of the next 12 months; null where a model was refused.

    The value is the sum over months of expected purchases x expected value x margin, each month's
    worth 1 / (1 + discount_rate) ** (month / 12) of today's.
    """
    buying, worth = _bg_nbd(fits), _gamma_gamma(fits)
    nothing = pa.nulls(len(customers), pa.float64())
    alive = value = nothing
    if buying is not None and len(customers):
        histories, place = Histories.of(*_columns(customers, HISTORY))
        alive = pa.array(buying.p_alive(histories)[place])
        if worth is not None:
            bought, purchases = np.zeros(len(histories.x)), np.zeros(len(histories.x))
            for month in range(1, MONTHS + 1):
                by_then = buying.expected(histories, month * WEEKS_PER_MONTH)
                purchases += (by_then - bought) / (1 + discount_rate) ** (month / 12)
                bought = by_then
            x, each = _columns(customers, ("repeat_day_count", "repeat_amount"))
            value = pa.array(purchases[place] * worth.expected(x, each) * margin_rate)
    return pa.table([customers["customer_id"], alive, value], SCORES)


def _fits(customers: pa.Table) -> tuple[Fit, Fit]:
    earlier = customers.filter(customers["calibration_age_weeks"].is_valid())
    try:
        _check_history(customers)
        model, before = _fit_purchases(customers), _fit_purchases(earlier, "calibration_")
        buying = _purchases_fit(model, customers, _holdout(before, earlier))
    except Refused as refusal:
        reason = str(refusal)
        return (
            Fit.refused("bg_nbd", PURCHASES, reason),
            Fit.refused(
                "gamma_gamma", VALUES, f"without BG/NBD there is nothing to value: {reason}"
            ),
        )
    try:
        return buying, _values_fit(customers, earlier, before)
    except Refused as refusal:
        return buying, Fit.refused("gamma_gamma", VALUES, str(refusal))


def _check_history(customers: pa.Table) -> None:
    x, age = _columns(customers, ("repeat_day_count", "age_weeks"))
    weeks = float(age.max()) if len(age) else 0.0
    if weeks < SHORTEST_WEEKS:
        raise Refused(f"too short a history: {weeks:.1f} weeks of {SHORTEST_WEEKS:.0f} needed")
    if (repeaters := int((x > 0).sum())) < FEWEST_REPEAT_BUYERS:
        raise Refused(f"too few repeat buyers: {repeaters} of the {FEWEST_REPEAT_BUYERS} needed")


def _fit_purchases(customers: pa.Table, prefix: str = "") -> BgNbd:
    try:
        return bg_nbd.fit(Histories.of(*_columns(customers, HISTORY, prefix))[0])
    except Refused as refusal:
        part = " (on the part before the holdout)" if prefix else ""
        raise Refused(f"{refusal}{part}") from None


def _purchases_fit(model: BgNbd, customers: pa.Table, holdout: dict[str, float]) -> Fit:
    (x,) = _columns(customers, ("repeat_day_count",))
    figures = {
        "r": model.r, "alpha": model.alpha, "a": model.a, "b": model.b,
        "log_likelihood": model.log_likelihood,
        "repeat_customer_count": float((x > 0).sum()), **holdout,
    }  # fmt: skip
    return Fit("bg_nbd", figures, holdout["holdout_rmse"])


def _holdout(model: BgNbd, earlier: pa.Table) -> dict[str, float]:
    """How the model of the earlier part does on the later: per customer, in all, at the top.

    The top decile are the tenth of the customers with the highest prediction; of customers with
    one prediction who straddle its edge each counts with the same share. The naive rate is x / T.
    """
    x, t_x, age = _columns(earlier, HISTORY, "calibration_")
    weeks, actual = _columns(earlier, ("holdout_weeks", "holdout_day_count"))
    histories, place = Histories.of(x, t_x, age)
    predicted = model.expected(histories, float(weeks[0]))[place]
    naive = np.divide(x, age, out=np.zeros_like(x), where=age > 0) * weeks
    total = float(actual.sum())
    if not total:
        raise Refused("nobody bought in the part that was held out")
    error, naive_error = (float(np.sqrt(_mean_square(p - actual))) for p in (predicted, naive))
    if error >= naive_error:
        raise Refused(
            "each customer's own rate so far (x / T) says better who buys in the part that was "
            f"held out: RMSE {naive_error:.3f} against {error:.3f}"
        )
    return {
        "holdout_rmse": error,
        "holdout_total_error": _total(predicted) / total - 1,
        "holdout_top_decile_share": _top_share(predicted, actual) / total,
        "holdout_naive_rmse": naive_error,
        "holdout_naive_total_error": _total(naive) / total - 1,
    }


def _top_share(predicted: Floats, actual: Floats) -> float:
    values, place = np.unique(predicted, return_inverse=True)
    members = np.bincount(place)[::-1].astype(float)
    bought = np.bincount(place, weights=actual)[::-1]
    room = np.clip(0.1 * len(predicted) - (np.cumsum(members) - members), 0.0, members)
    return float(np.sum(bought * room / members)) if len(values) else 0.0


def _values_fit(customers: pa.Table, earlier: pa.Table, before: BgNbd) -> Fit:
    """Gamma-Gamma on repeat buyers, judged by the revenue of the part that was held out."""
    x, each, correlation = _repeat_buyers(customers)
    model = gamma_gamma.fit(x, each)
    then = gamma_gamma.fit(*_repeat_buyers(earlier, "calibration_")[:2])
    histories, place = Histories.of(*_columns(earlier, HISTORY, "calibration_"))
    weeks, amount = _columns(earlier, ("holdout_weeks", "holdout_amount"))
    purchases = before.expected(histories, float(weeks[0]))[place]
    worth = then.expected(*_columns(earlier, ("repeat_day_count", "repeat_amount"), "calibration_"))
    actual = _total(amount)
    error = _total(purchases * worth) / actual - 1 if actual > 0 else None
    figures = {
        "p": model.p, "q": model.q, "v": model.v, "log_likelihood": model.log_likelihood,
        "repeat_customer_count": float(len(x)), "correlation": correlation,
        "holdout_amount_error": error,
    }  # fmt: skip
    return Fit("gamma_gamma", figures, error)


def _repeat_buyers(customers: pa.Table, prefix: str = "") -> tuple[Floats, Floats, float]:
    """Repeat purchases and their mean value, in ascending order, and their correlation."""
    x, each = _columns(customers, ("repeat_day_count", "repeat_amount"), prefix)
    paying = (x > 0) & (each > 0)
    x, each = x[paying], each[paying]
    if not prefix and len(x) < FEWEST_REPEAT_BUYERS:
        raise Refused(f"too few repeat buyers: {len(x)} of the {FEWEST_REPEAT_BUYERS} needed")
    order = np.lexsort((each, x))
    x, each = x[order], each[order]
    spread = float(x.std() * each.std())
    correlation = float(np.mean((x - x.mean()) * (each - each.mean()))) / spread if spread else 0.0
    if not prefix and abs(correlation) > MOST_CORRELATION:
        raise Refused(
            f"frequency and value are correlated ({correlation:.2f}, at most "
            f"{MOST_CORRELATION} either way): Gamma-Gamma takes them to be independent"
        )
    return x, each, correlation


def _columns(table: pa.Table, names: Sequence[str], prefix: str = "") -> list[Floats]:
    """Columns as floats; null is 0."""
    arrays = (table[prefix + name].cast(pa.float64()).fill_null(0.0) for name in names)
    return [np.asarray(array.to_numpy(zero_copy_only=False), dtype=float) for array in arrays]


def _total(values: Floats) -> float:
    """A sum that does not depend on the order of the customers."""
    return float(np.sort(values).sum())


def _mean_square(errors: Floats) -> float:
    return _total(errors**2) / len(errors)


def _bg_nbd(fits: pa.Table) -> BgNbd | None:
    found = [figure(fits, "bg_nbd", name) for name in PURCHASES[:5]]
    return BgNbd(*found) if None not in found else None  # type: ignore[arg-type]


def _gamma_gamma(fits: pa.Table) -> GammaGamma | None:
    found = [figure(fits, "gamma_gamma", name) for name in VALUES[:4]]
    return GammaGamma(*found) if None not in found else None  # type: ignore[arg-type]
