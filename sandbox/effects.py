"""What campaigns truly do: the truth that measurement must find."""

from __future__ import annotations

import numpy as np

REMINDER, THANKS = 3, 4  # kinds 0 to 2 are newsletters; a thank-you letter moves nobody
# Extra orders (newsletters) or recovered carts (reminder) per treated person, by generation.
UPLIFT = np.array([[0.040, 0.030, 0.015, 0.010], [0.060, 0.030, 0.015, 0.010],
                   [0.030, 0.050, 0.015, 0.010], [0.20, 0.14, 0.10, 0.05],
                   [0.0, 0.0, 0.0, 0.0]])  # fmt: skip
_STRENGTH = [1.0, 0.6, 1.4]


def uplift(kind: int, campaign: int) -> np.ndarray:
    """The true effect of a campaign by generation; reminders are all alike."""
    return UPLIFT[kind] * (1.0 if kind == REMINDER else _STRENGTH[campaign % 3])
