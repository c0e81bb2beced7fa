"""What the published KPIs of a sandbox must be: the recount's figures, over periods drawn anew."""

import json
import random
from datetime import datetime, timedelta

from tests.e2e.installation import Installation
from tests.e2e.recount.compare import Key, Recount, recount
from tests.e2e.recount.formulas import FITTED, FORMULAS, SLICES


def recount_of(installation: Installation) -> Recount:
    clock = json.loads((installation.home / "sandbox" / "clock.json").read_text())
    now = datetime.fromisoformat(clock["now"]).replace(tzinfo=None)
    return recount(installation.home, now + timedelta(hours=7))


def recountable(counted: Recount) -> list[Key]:
    """Figures in the slices that are recounted; who can be reached, of periods that are over: a run
    takes addresses off the e-mail platform's list after it has published.
    """
    return sorted(
        key for key in counted.published
        if key[3] in SLICES.get(key[0], ())
        and (key[0] != "reachable_share" or counted.period(*key[1:3]).over_for(0))
    )  # fmt: skip


def drawn(keys: list[Key], chance: random.Random, slices: int) -> list[Key]:
    """Those of one week, one day and one month, for everybody and in so many slices."""
    periods = {
        (grain, chance.choice(sorted({key[2] for key in keys if key[1] == grain})))
        for grain in ("day", "week", "month")
    }
    values = sorted({key[3:] for key in keys} - {("all", "all")})
    chosen = {("all", "all"), *chance.sample(values, slices)}
    return [key for key in keys if key[1:3] in periods and key[3:] in chosen]


def hold(installation: Installation, *, draws: int = 1, slices: int = 3) -> None:
    """Every KPI of a random week, day and month is what the sources say."""
    counted = recount_of(installation)
    assert {kpi for kpi, *_ in counted.published} == FORMULAS.keys() | FITTED
    keys = recountable(counted)
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    chosen = {key for _ in range(draws) for key in drawn(keys, chance, slices)}
    found = [str(difference) for difference in counted.differences(sorted(chosen))]
    assert not found, f"seed {seed}, {len(chosen)} figures\n" + "\n".join(found)
