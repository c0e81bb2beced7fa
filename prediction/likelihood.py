"""Maximum likelihood of positive parameters, to the last digits and always along one path."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from prediction.fits import Refused

Floats = NDArray[np.float64]
# A parameter at the end of this range has run away: the likelihood has no maximum inside.
LOWEST, HIGHEST = 1e-5, 1e5
# Gain of log-likelihood that a parameter must bring: half of chi-squared at 95 %, one degree.
NOTICEABLE = 1.92
ENOUGH = 1e-7  # of the mean log-likelihood's slope; Newton's steps end far below it
NEWTON_STEPS, DIFFERENCE = 6, 1e-5


class NoMaximum(Refused):
    """The likelihood has none: a parameter runs away, or may be anything."""

    def __init__(self, how: str, value: float) -> None:
        super().__init__(f"no convergence: {how}")
        self.value = value  # of the likelihood where the search ended


def maximise(slope: Callable[[Floats], tuple[float, Floats]], start: Floats) -> Floats:
    """The parameters at the maximum of `slope` (a value and its gradient), scaled to mean.

    Searched over logarithms by L-BFGS-B and finished by Newton's method, so that the answer is
    that of the data and not of where the search happened to stop. Refused without convergence.
    """
    from scipy.optimize import minimize

    def descent(logs: Floats) -> tuple[float, Floats]:
        parameters = np.exp(logs)
        value, gradient = slope(parameters)
        return -value, -gradient * parameters

    bounds = [(np.log(LOWEST), np.log(HIGHEST))] * len(start)
    options = {"ftol": 1e-13, "gtol": 1e-8, "maxiter": 1000, "maxfun": 5000}
    found = minimize(
        descent, np.log(start), jac=True, method="L-BFGS-B", bounds=bounds, options=options
    ).x
    if min(np.min(found - np.log(LOWEST)), np.min(np.log(HIGHEST) - found)) < 0.1:
        raise NoMaximum("a parameter runs away, the likelihood has no maximum", -descent(found)[0])
    for _ in range(NEWTON_STEPS):
        step, is_hill = _newton(descent, found)
        if not is_hill:
            raise NoMaximum("the likelihood is flat where the search ended", -descent(found)[0])
        found = found - step
        if np.abs(step).max() < 1e-11:
            break
    if not np.abs(descent(found)[1]).max() < ENOUGH:
        raise NoMaximum("the search ended beside a maximum", -descent(found)[0])
    return np.asarray(np.exp(found))


def _newton(descent: Callable[[Floats], tuple[float, Floats]], at: Floats) -> tuple[Floats, bool]:
    """Newton's step and whether the curvature is that of a maximum; steps stay near."""
    size = len(at)
    curvature = np.empty((size, size))
    for index in range(size):
        shift = np.zeros(size)
        shift[index] = DIFFERENCE
        curvature[index] = (descent(at + shift)[1] - descent(at - shift)[1]) / (2 * DIFFERENCE)
    curvature = (curvature + curvature.T) / 2
    is_hill = bool(np.linalg.eigvalsh(curvature).min() > 1e-9)
    if not is_hill:
        return np.zeros(size), False
    return np.clip(np.linalg.solve(curvature, descent(at)[1]), -0.5, 0.5), True
