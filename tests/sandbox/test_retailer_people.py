"""What becomes of leads, who leaves for good, and what is new: tendencies that models must find."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from retailer import query

from sandbox import catalogue, leads, names, world
from sandbox.control import DEFAULT_SEED
from sandbox.sizes import SIZES

DRAWN = 20_000


@pytest.fixture(scope="module")
def state(history: Path) -> world.World:
    return world.latest(history, DEFAULT_SEED, SIZES["XS"])


def fates(source: str, *, has_bought: bool) -> np.ndarray:
    """How likely each fate is for leads of a source."""
    number = np.full(DRAWN, leads._SOURCES.index(source))
    drawn = leads.fates(np.random.default_rng(1), number, np.full(DRAWN, has_bought))
    return np.bincount(drawn, minlength=6) / DRAWN


def test_leads_are_won_by_source_and_by_what_the_person_did_before() -> None:
    new = {name: fates(name, has_bought=False) for name in set(leads._SOURCES)}
    known = {name: fates(name, has_bought=True) for name in new}
    won = {name: share[leads.BUYS] for name, share in new.items()}
    assert won["cua_hang"] > 5 * won["hoi_cho"]
    assert min(won["newsletter"], won["direct"]) > 2 * max(won["facebook"], won["tiktok"])
    assert all(known[name][leads.BUYS] > won[name] for name in new)
    open_shares = [share[[leads.FORGOTTEN, leads.UNDECIDED]].sum() for share in new.values()]
    assert max(open_shares) - min(open_shares) < 0.03


def test_who_has_left_is_not_seen_again(history: Path, state: world.World) -> None:
    """But for what was on its way, within ten days."""
    gone = np.flatnonzero(state.p["gone_at"])
    assert len(gone) > 20
    left = {f"P{person:07d}": int(state.p["gone_at"][person]) for person in gone}
    seen = query(
        history,
        """select person_id, max(epoch(started_at))::bigint
        from '{truth}/journal/visits-*.parquet' group by 1
        union all
        select person_id, max(epoch(sold_at + interval 7 hours))::bigint
        from '{tills}/*/receipts.csv' join '{truth}/records.parquet' on record_id = receipt_id
        where record_kind = 'orders' group by 1""",
    )
    end = state.starts(state.day + 1)
    late = timedelta(days=10).total_seconds()
    judged = [person for person, at in left.items() if at + late < end]
    assert len(judged) > 5
    assert not [p for p, at in seen if p in judged and at > left[p] + late]
    onlookers = [at for p, at in seen if p not in left]
    assert max(onlookers) > end - timedelta(days=1).total_seconds()


def test_campaigns_move_nobody_who_has_left(state: world.World) -> None:
    assigned = state.frames["assigned"]
    assert assigned["gone"].sum() > 0
    assert assigned["caused"].sum() > 0
    assert not (assigned["gone"] & assigned["caused"]).any()


def test_new_models_come_out_and_are_wanted_by_those_who_look_for_them() -> None:
    launch = int(catalogue.LAUNCHED_ON.max())
    new = launch == catalogue.LAUNCHED_ON
    assert not catalogue.wanted(launch - 1)[:, new].any()
    weights = catalogue.wanted(launch)
    share = weights[:, new].sum(axis=1) / weights.sum(axis=1)
    of_value = dict(
        zip(names.VALUES, share.reshape(4, len(names.VALUES)).mean(axis=0), strict=True)
    )
    others = [of_value[value] for value in names.VALUES if value != "trend"]
    assert of_value["trend"] > 3 * max(others) > 0
