"""`truth/effects.parquet`: what each campaign has truly done so far, by generation."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sandbox import names
from sandbox.draw import campaign_ids, take
from sandbox.effects import REMINDER, uplift
from sandbox.visits import NATURAL_RECOVERY, ORDERS_PER_VISIT
from sandbox.web_orders import KEPT_SHARE
from sandbox.world import World

_DAYS = 3  # in which all that a newsletter causes happens


def effects(world: World) -> pa.Table:
    """True effects so far: campaign x generation.

    `uplift` is the extra orders (metric `orders`) or recovered carts (`cart_recoveries`) per
    treated person; for reminders it applies to carts that would not have come back by themselves.
    `effect` is what treated and held-out people differ by in the share who converted: have placed
    an order within three days that was not cancelled, or recovered a cart within seven. It is less
    than the uplift by those who convert anyway; both are of all who were assigned, those among them
    too who had left for good. `caused_count` is how many orders or recoveries the campaign really
    caused.
    """
    assigned, campaigns = world.frames["assigned"], world.frames["campaigns"]
    kinds = dict(zip(campaigns["campaign"].tolist(), campaigns["kind"].tolist(), strict=True))
    generation = world.p["generation"][assigned["person"]]
    key = assigned["campaign"] * 4 + generation
    found, place = np.unique(key, return_inverse=True)
    treated = np.bincount(place, weights=assigned["treated"], minlength=len(found)).astype(int)
    everybody = np.bincount(place, minlength=len(found))
    caused = np.bincount(place, weights=assigned["caused"], minlength=len(found)).astype(int)
    number, gen = found // 4, found % 4
    kind = np.array([kinds[int(c)] for c in number], np.int64)
    true = np.array([uplift(int(k), int(c))[g] for k, c, g in zip(kind, number, gen, strict=True)])
    here = 1 - assigned["gone"]
    idle = here * (1 - _orders_anyway(world)[assigned["person"]])  # here, and would not buy anyway
    here_share, idle_share = (np.bincount(place, weights=w) / everybody for w in (here, idle))
    moved = np.where(
        kind == REMINDER, (1 - NATURAL_RECOVERY[gen]) * here_share, KEPT_SHARE[gen] * idle_share
    )
    return pa.table({
        "campaign_id": campaign_ids(world.seed, number),
        "segment": take(names.GENERATIONS, gen),
        "metric": take(["orders", "cart_recoveries"], (kind == REMINDER).astype(np.int64)),
        "uplift": pa.array(true * here_share, pa.float64()),
        "effect": pa.array(true * moved, pa.float64()),
        "treated_count": treated, "holdout_count": everybody - treated, "caused_count": caused,
    })  # fmt: skip


def _orders_anyway(world: World) -> np.ndarray:
    """How likely each person is to order within three ordinary days, on the web or in a store."""
    orders_a_day = world.p["visit_rate"] * ORDERS_PER_VISIT[world.p["generation"]]
    return 1 - np.exp(-_DAYS * (orders_a_day + world.p["store_rate"]))
