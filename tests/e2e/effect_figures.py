"""What measurement must reach on the simulated retailer, against what its campaigns truly do.

The truth speaks of orders within three days of a newsletter and of carts recovered within seven of
a reminder, per campaign and generation: so do the lifts compared here, however few people a cell
has.
"""

from statistics import median
from typing import Any

from tests.e2e.installation import Installation

CELLS = """
select effects.effect, lifts.lift_abs, lifts.lower_95, lifts.upper_95, lifts.is_trustworthy
from read_parquet(?) as effects
inner join lifts
    on effects.campaign_id = lifts.campaign_id
    and lifts.segment_id = 'generation_' || effects.segment
    and lifts.metric = if(effects.metric = 'orders', 'order', 'cart_recovery')
    and lifts.window_days = if(effects.metric = 'orders', 3, 7)
where lifts.lower_95 is not null
"""


def hold(retailer: Installation, size: str) -> None:
    """The true effect lies in the interval as often as it should. On M the intervals are also
    narrow enough for effects above two points, and null effects are rarely called anything else;
    on S a cell has few people.
    """
    truth = str(retailer.home / "sandbox/truth/effects.parquet")
    with retailer.marts() as marts:
        found = figures(marts.execute(CELLS, [truth]).fetchall())
    assert found["cells"] >= 40, found
    assert found["untrustworthy"] <= 1, found
    assert found["cover"] >= 0.90, found
    if size == "M":
        assert found["cover"] <= 0.99, found
        assert found["half_width"] < found["effect"], found
        assert found["null_effects"] >= 10, found
        assert found["false_alarms"] <= 0.1, found


def figures(cells: list[tuple[Any, ...]]) -> dict[str, float]:
    """Of (effect, lift, lower, upper, is_trustworthy): what the bars speak of."""
    large = [cell for cell in cells if cell[0] > 0.02]
    null = [cell for cell in cells if cell[0] == 0]
    return {
        "cells": len(cells),
        "cover": sum(low <= effect <= high for effect, _, low, high, _ in cells) / len(cells),
        "half_width": median((high - low) / 2 for _, _, low, high, _ in large),
        "effect": median(effect for effect, *_ in large),
        "null_effects": len(null),
        "false_alarms": sum(not low <= 0 <= high for _, _, low, high, _ in null) / len(null),
        "untrustworthy": sum(cell[4] is not True for cell in cells),
    }
