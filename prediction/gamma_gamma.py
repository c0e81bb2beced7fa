"""Gamma-Gamma: what a customer's purchase is worth.

Fader, Hardie & Lee (2005), RFM and CLV: Using Iso-Value Curves for Customer Base Analysis, Journal
of Marketing Research 42(4); the likelihood as in Fader & Hardie (2013), The Gamma-Gamma Model of
Monetary Value. x = purchases, z = their mean value. Each purchase is gamma(p, nu), nu is drawn from
gamma(q, v), and neither has to do with how often the customer buys: that is to be checked first.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gammaln

from prediction.fits import Refused
from prediction.likelihood import HIGHEST, NOTICEABLE, Floats, NoMaximum, maximise


@dataclass(frozen=True)
class GammaGamma:
    """Fitted parameters; v in the unit of the values."""

    p: float
    q: float
    v: float
    log_likelihood: float

    def expected(self, x: Floats, z: Floats) -> Floats:
        """E[M | x, z]: the customer's own mean drawn to everybody's, less so the larger x."""
        known = np.where(x > 0, np.maximum(z, 0.0), 0.0) * x
        return np.asarray(self.p * (self.v + known) / (self.p * x + self.q - 1))


def fit(x: Floats, z: Floats) -> GammaGamma:
    """The parameters of greatest likelihood, from buyers with x > 0 and z > 0, in their order.

    Where customers do not noticeably differ in what they spend, q and v have no end: q is then
    taken at the end of the range, and everybody is expected to spend the same.
    """
    scale = float(np.mean(z))
    likelihood = Likelihood(x, z / scale)
    start = np.array([2.0, 3.0, 1.0])
    try:
        p, q, v = (float(value) for value in maximise(likelihood, start))
    except NoMaximum as refusal:
        p, v = (float(value) for value in maximise(likelihood.alike, np.array([2.0, HIGHEST / 2])))
        q = HIGHEST
        if (refusal.value - likelihood(np.array([p, q, v]))[0]) * len(x) > NOTICEABLE:
            raise
    if q <= 1:
        raise Refused("values spread so widely that the model's mean value is infinite (q <= 1)")
    total = likelihood(np.array([p, q, v]))[0] * len(x) - len(x) * np.log(scale)
    return GammaGamma(p, q, v * scale, float(total))


class Likelihood:
    """Mean log-likelihood of (p, q, v) and its gradient."""

    def __init__(self, x: Floats, z: Floats) -> None:
        self.x, self.z = x, z
        self.distinct_x, place = np.unique(x, return_inverse=True)
        self.share = np.bincount(place, minlength=len(self.distinct_x)) / len(x)

    def __call__(self, parameters: Floats) -> tuple[float, Floats]:
        """Value and gradient."""
        p, q, v = parameters
        few, share, x, z = self.distinct_x, self.share, self.x, self.z
        log_sum, log_z, log_x = np.log(v + x * z), np.log(z), np.log(x)
        per_x = gammaln(p * few + q) - gammaln(p * few) - gammaln(q) + q * np.log(v)
        value = np.sum(share * per_x) + np.mean(
            (p * x - 1) * log_z + p * x * log_x - (p * x + q) * log_sum
        )
        gradient = np.array(
            [
                np.sum(share * few * (digamma(p * few + q) - digamma(p * few)))
                + np.mean(x * (log_z + log_x - log_sum)),
                np.sum(share * (digamma(p * few + q) - digamma(q))) + np.log(v) - np.mean(log_sum),
                q / v - np.mean((p * x + q) / (v + x * z)),
            ]
        )
        return float(value), gradient

    def alike(self, parameters: Floats) -> tuple[float, Floats]:
        """The same of (p, v), with q at the end of its range."""
        p, v = parameters
        value, gradient = self(np.array([p, HIGHEST, v]))
        return value, gradient[[0, 2]]
