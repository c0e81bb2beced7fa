"""One simulated business day: everything that happens, in the order in which it must happen."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa

from sandbox import (
    accounts,
    advice,
    campaigns,
    catalogue,
    conversations,
    events,
    leads,
    loyalty,
    members,
    offers,
    responses,
    sales_calls,
    store_sales,
    surveys,
    visits,
    web_orders,
)
from sandbox.delivery import EMAIL, SHOP, TILLS, Delivery
from sandbox.draw import moments
from sandbox.sizes import MAILING_LIST
from sandbox.world import World, add_people

NEWCOMERS_PER_DAY = 0.38  # of the people, spread over the days of a history


def simulate_day(
    world: World,
    con: duckdb.DuckDBPyConnection,
    texts: Sequence[responses.Text] = (),
    call_list: Sequence[int] = (),
) -> Delivery:
    """Move `world` one day on and return what that day delivers.

    `texts` are all that people were ever sent by the business's own platforms, `call_list` the
    numbers (without country code) that its call centre has to call.
    """
    world.day += 1
    d = Delivery(world, world.day, con)
    if d.day >= world.size.days:
        _newcomers(d)
    if d.day == 0:
        accounts.opening(d)
        _opening_lists(d)
    accounts.life_changes(d)
    _prices(d)
    campaigns.run(d)
    offers.announce(d)
    responses.run(d, texts)
    today = visits.plan(d)
    web_orders.place(d, today)
    events.deliver(d, today)
    settled = web_orders.settle(d)
    contacted = leads.run(d, today)
    sales_calls.run(d, contacted, settled, call_list)
    conversations.run(d, today, settled)
    advice.run(d)
    store_sales.sell(d)
    store_sales.take_back(d)
    surveys.answer(d)
    surveys.ask_values(d)
    loyalty.run(d, today)
    members.deliver_members(d)
    return d


def _newcomers(d: Delivery) -> None:
    count = round(d.world.size.people * NEWCOMERS_PER_DAY / d.world.size.days)
    add_people(d.world, d.day, np.full(count, d.day))


def _opening_lists(d: Delivery) -> None:
    stores = d.world.size.stores
    opened = moments(np.full(stores, d.start - 400 * 86_400), utc=True)
    d.add(TILLS, "stores", catalogue.stores_table(stores, opened))
    listed = np.flatnonzero(catalogue.LAUNCHED_ON < 0)
    since = moments(np.full(len(listed), d.start - 30 * 86_400))
    d.add(SHOP, "products", catalogue.products_table(listed, d.world.prices, since))
    d.add(EMAIL, "lists", pa.table({
        "list_id": [MAILING_LIST], "name": [campaigns.LIST_NAME],
    }))  # fmt: skip


def _prices(d: Delivery) -> None:
    """New models on the days of a launch; on Mondays a few list prices change."""
    launched = np.flatnonzero(d.day == catalogue.LAUNCHED_ON)
    at = moments(np.full(len(launched), d.start + 5 * 3_600))
    d.add(SHOP, "products", catalogue.products_table(launched, d.world.prices, at))
    if d.day == 0 or d.world.date_of(d.day).weekday():
        return
    rng = d.rng("prices")
    listed = np.flatnonzero(d.day >= catalogue.LAUNCHED_ON)
    changed = np.sort(rng.choice(listed, 4, replace=False))
    factor = rng.uniform(0.9, 1.12, 4)
    d.world.prices[changed] = (d.world.prices[changed] * factor).astype(np.int64) // 10_000 * 10_000
    since = moments(np.full(4, d.start + 6 * 3_600))
    d.add(SHOP, "products", catalogue.products_table(changed, d.world.prices, since))
