"""BG/NBD: how often a customer will buy, and whether still at all.

Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way: An Alternative to the
Pareto/NBD Model, Marketing Science 24(2). x = repeat purchases, t_x = time of the last one,
T = age, all since the first purchase. While active a customer buys at a rate drawn from
gamma(r, alpha); after each purchase they are gone with a probability drawn from beta(a, b).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln, hyp2f1

from prediction.likelihood import NOTICEABLE, Floats, NoMaximum, maximise


@dataclass(frozen=True)
class Histories:
    """Distinct (x, t_x, T) in ascending order, and how many customers have each."""

    x: Floats
    t_x: Floats
    age: Floats
    count: Floats

    @classmethod
    def of(cls, x: Floats, t_x: Floats, age: Floats) -> tuple["Histories", NDArray[np.intp]]:
        """The distinct histories of customers, and for each customer the place of theirs."""
        order = np.lexsort((age, t_x, x))
        rows = np.stack([x[order], t_x[order], age[order]])
        is_new = np.concatenate([[True], (rows[:, 1:] != rows[:, :-1]).any(axis=0)])[: len(x)]
        places = np.empty(len(x), dtype=np.intp)
        places[order] = np.cumsum(is_new) - 1
        counts = np.diff(np.append(np.flatnonzero(is_new), len(x))).astype(float)
        x, t_x, age = rows[:, is_new]
        return cls(x, t_x, age, counts), places


@dataclass(frozen=True)
class BgNbd:
    """Fitted parameters; time in the unit of the histories."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float

    def p_alive(self, of: Histories) -> Floats:
        """P(active at T | x, t_x, T); 1 without a repeat purchase, since only they can end it."""
        return np.asarray(1 / (1 + self._odds_gone(of)))

    def expected(self, of: Histories, time: float) -> Floats:
        """E[Y(t) | x, t_x, T], formula (10) of the paper: purchases in the `time` to come.

        Its 2F1 is taken after Euler's transformation, which keeps powers of (r + x) from
        overflowing for customers with many purchases.
        """
        a, b = self._regular()
        # T and x come in few combinations, each with many t_x.
        pairs, places = np.unique(np.stack([of.x, of.age]), axis=1, return_inverse=True)
        x, age = pairs
        left = (self.alpha + age) / (self.alpha + age + time)
        series = hyp2f1(a + b - 1 - self.r, a - 1, a + b + x - 1, 1 - left)
        many = (a + b + x - 1) / (a - 1) * (1 - left ** (a - 1) * series)
        return np.asarray(many[places.ravel()] / (1 + self._odds_gone(of)))

    def expected_since_first(self, time: Floats) -> Floats:
        """E[X(t)], formula (9) of the paper: repeat purchases of a new customer within `time`."""
        a, b = self._regular()
        left = self.alpha / (self.alpha + time)
        series = hyp2f1(a + b - 1 - self.r, a - 1, a + b - 1, 1 - left)
        return np.asarray((a + b - 1) / (a - 1) * (1 - left ** (a - 1) * series))

    def _regular(self) -> tuple[float, float]:
        """(a, b) a step beside a removable singularity of the formulas: a = 1, a + b = 1."""
        a = self.a if abs(self.a - 1) > 1e-6 else 1 + 1e-6
        return a, (self.b if abs(a + self.b - 1) > 1e-6 else self.b + 1e-6)

    def _odds_gone(self, of: Histories) -> Floats:
        power = (self.r + of.x) * np.log((self.alpha + of.age) / (self.alpha + of.t_x))
        odds = self.a / (self.b + np.maximum(of.x, 1) - 1) * np.exp(power)
        return np.asarray(np.where(of.x > 0, odds, 0.0))


def fit(histories: Histories) -> BgNbd:
    """The parameters of greatest likelihood; Refused where there are none.

    Where the search finds no maximum and letting customers leave explains nothing noticeable,
    nobody has been seen to leave: a = 0, the NBD model, everybody is active, and b, which then says
    nothing, is given as 1.
    """
    likelihood = Likelihood(histories)
    mean_age = float(np.average(histories.age, weights=histories.count))
    start = np.array([1.0, max(mean_age, 1.0), 1.0, 2.0])
    try:
        r, alpha, a, b = (float(value) for value in maximise(likelihood, start))
    except NoMaximum as refusal:
        r, alpha = (float(value) for value in maximise(likelihood.without_leaving, start[:2]))
        mean = likelihood.without_leaving(np.array([r, alpha]))[0]
        customers = float(histories.count.sum())
        if (refusal.value - mean) * customers > NOTICEABLE:
            raise
        return BgNbd(r, alpha, 0.0, 1.0, mean * customers)
    total = likelihood(np.array([r, alpha, a, b]))[0] * histories.count.sum()
    return BgNbd(r, alpha, a, b, float(total))


class Likelihood:
    """Mean log-likelihood of (r, alpha, a, b) and its gradient; formula (6) of the paper."""

    def __init__(self, histories: Histories) -> None:
        self.of = histories
        self.weight = histories.count / histories.count.sum()
        # Gamma functions are dear, and purchases are small whole numbers.
        self.distinct_x, self.x_place = np.unique(histories.x, return_inverse=True)
        self.is_repeat = histories.x > 0
        self.x_weight = np.bincount(self.x_place, weights=self.weight)

    def __call__(self, parameters: Floats) -> tuple[float, Floats]:
        """Value and gradient."""
        r, alpha, a, b = parameters
        few, of = self.distinct_x, self.of
        per_x = gammaln(r + few) - gammaln(r) + r * np.log(alpha)
        per_x += gammaln(a + b) + gammaln(b + few) - gammaln(b) - gammaln(a + b + few)
        log_age, log_last = np.log(alpha + of.age), np.log(alpha + of.t_x)
        before = b + np.maximum(of.x, 1) - 1
        active = -(r + of.x) * log_age
        gone = np.where(self.is_repeat, np.log(a) - np.log(before) - (r + of.x) * log_last, -np.inf)
        either = np.logaddexp(active, gone)
        share_active = np.exp(active - either)
        share_gone = np.exp(gone - either)
        value = np.sum(self.x_weight * per_x) + np.sum(self.weight * either)
        logs = share_active * log_age + share_gone * log_last
        rates = share_active / (alpha + of.age) + share_gone / (alpha + of.t_x)
        both = digamma(a + b) - digamma(a + b + few)
        gradient = np.array(
            [
                np.sum(self.x_weight * (digamma(r + few) - digamma(r) + np.log(alpha)))
                - np.sum(self.weight * logs),
                r / alpha - np.sum(self.weight * (r + of.x) * rates),
                np.sum(self.x_weight * both) + np.sum(self.weight * share_gone) / a,
                np.sum(self.x_weight * (both + digamma(b + few) - digamma(b)))
                - np.sum(self.weight * share_gone / before),
            ]
        )
        return float(value), gradient

    def without_leaving(self, parameters: Floats) -> tuple[float, Floats]:
        """The same of (r, alpha) at a = 0: the negative binomial distribution."""
        r, alpha = parameters
        few, of = self.distinct_x, self.of
        per_x = gammaln(r + few) - gammaln(r) + r * np.log(alpha)
        log_age = np.log(alpha + of.age)
        value = np.sum(self.x_weight * per_x) - np.sum(self.weight * (r + of.x) * log_age)
        gradient = np.array(
            [
                np.sum(self.x_weight * (digamma(r + few) - digamma(r) + np.log(alpha)))
                - np.sum(self.weight * log_age),
                r / alpha - np.sum(self.weight * (r + of.x) / (alpha + of.age)),
            ]
        )
        return float(value), gradient
