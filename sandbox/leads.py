"""Leads of the sales team: some of the new sign-ups, and people who left a number elsewhere.

What becomes of a lead (its fate) is drawn when it appears; each step is written on its own day.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sandbox.delivery import CRM, Delivery, open_hours
from sandbox.draw import (
    DAY_SECONDS,
    Bools,
    Ints,
    chance,
    label,
    moments,
    nulled,
    pick_by_row,
    take,
)
from sandbox.frames import Frame, append, rows, split_due, where
from sandbox.visits import SOURCES
from sandbox.world import NEVER

NEW, CONTACTED, QUALIFIED, PROPOSAL, WON, LOST = range(6)
STAGES = ["new", "contacted", "qualified", "proposal", "won", "lost"]
OUTCOMES = ["", "won", "lost", "unqualified"]
FORGOTTEN, UNDECIDED, UNQUALIFIED, LOST_EARLY, LOST_LATE, BUYS = range(6)
_FATES = np.array([22, 14, 17, 16, 13, 18])
# The stage after each stage, by fate.
_NEXT = np.array([
    [NEVER] * 6, [CONTACTED] + [NEVER] * 5, [CONTACTED, LOST] + [NEVER] * 4,
    [CONTACTED, QUALIFIED, LOST] + [NEVER] * 3,
    [CONTACTED, QUALIFIED, PROPOSAL, LOST, NEVER, NEVER],
    [CONTACTED, QUALIFIED, PROPOSAL, WON, NEVER, NEVER],
])  # fmt: skip
_ELSEWHERE = ["hoi_cho", "cua_hang", "facebook_lead"]
_SOURCES = [source or "direct" for source, _, _ in SOURCES] + _ELSEWHERE
# Of 100 leads that are decided, how many are won, by source: of people who have never bought, and
# of those who have.
_WON = np.array([
    [24, 44], [24, 44], [16, 32],  # direct, Google's results, its ads
    [8, 20], [6, 16], [18, 36], [40, 62],  # Facebook, TikTok, Zalo, newsletter
    [5, 14], [58, 80], [8, 20],  # a fair, a store, Facebook's forms
])  # fmt: skip
_OF_SIGN_UPS, _ELSEWHERE_PER_DAY = 0.4, 0.0006
OWNERS = ["sale-bac", "sale-trung", "sale-nam"]


def run(d: Delivery, v: Frame) -> Frame:
    """Today's new leads and steps; gives those that were contacted today."""
    rng, frames = d.rng("leads"), d.world.frames
    due, waiting = split_due(frames["leads"], d.end)
    stepped = _step(d, due, rng)
    born = _appear(d, v, rng)
    _deliver(d, born, born["created_at"])
    _deliver(d, stepped, due["at"])
    stepped["at"] = _next_day(due["at"], rng.exponential(3.0, rows(due)))
    for moved in (born, stepped):
        waiting = append(waiting, **where(moved, _NEXT[moved["fate"], moved["stage"]] != NEVER))
    frames["leads"] = waiting
    return where(stepped, stepped["stage"] == CONTACTED)


def _appear(d: Delivery, v: Frame, rng: np.random.Generator) -> Frame:
    p, size = d.world.p, d.world.size
    signed = np.flatnonzero((v["signup"] == 1) & chance(rng, _OF_SIGN_UPS, rows(v)))
    here = np.flatnonzero(d.world.here())
    met = rng.choice(here, int(size.people * _ELSEWHERE_PER_DAY * size.pace) + 1, replace=False)
    person = np.concatenate([v["person"][signed], met])
    n, m = len(person), len(met)
    source = np.concatenate([v["source"][signed],
                             len(SOURCES) + rng.integers(0, len(_ELSEWHERE), m)])  # fmt: skip
    at = np.concatenate([v["at"][signed] + 900, d.start + rng.integers(9, 20, m) * 3_600])
    # Who orders in the very visit of the sign-up counts as new: it is the later of the two.
    fate = fates(rng, source, (p["bought_at"][person] > 0) & (p["bought_at"][person] < at))
    promise = np.array([25, 40, 20, 45, 60, 75])[fate] + rng.integers(-18, 19, n)
    born: Frame = {
        "lead": d.world.issue("lead", n), "person": person, "source": source,
        "stage": np.zeros(n, np.int64), "outcome": np.zeros(n, np.int64),
        "owner": p["province"][person].astype(np.int64) % len(OWNERS),
        "amount": rng.integers(8, 60, n) * 100_000,
        "close_on": at // DAY_SECONDS + rng.integers(8, 36, n), "score": promise, "fate": fate,
        "style": d.styles(rng, person), "created_at": at, "contacted_at": np.zeros(n, np.int64),
        "at": _next_day(at, rng.exponential(2.4, n)),
    }  # fmt: skip
    d.truth(CRM, "leads", label("L", born["lead"]), person)
    return born


def fates(rng: np.random.Generator, source: Ints, has_bought: Bools) -> Ints:
    """What will become of leads: as many are decided from every source, more or less are won."""
    won = _WON / 100
    lost = _FATES[UNQUALIFIED:BUYS]
    decided = _FATES[UNQUALIFIED:].sum()
    table = np.empty((*won.shape, len(_FATES)))
    table[..., :UNQUALIFIED] = _FATES[:UNQUALIFIED]
    table[..., UNQUALIFIED:BUYS] = decided * (1 - won)[..., None] * lost / lost.sum()
    table[..., BUYS] = decided * won
    return pick_by_row(rng, table.reshape(-1, len(_FATES)), source * 2 + has_bought)


def _next_day(at: Ints, days: np.ndarray) -> Ints:
    """Within opening hours, on the next day at the earliest."""
    return open_hours(at + ((1 + days) * DAY_SECONDS).astype(np.int64))


def _step(d: Delivery, due: Frame, rng: np.random.Generator) -> Frame:
    """Each lead one stage on; who is won buys, and who has left meanwhile cannot be won."""
    due["fate"][(due["fate"] == BUYS) & (d.world.p["gone_at"][due["person"]] > 0)] = LOST_LATE
    stage, at = _NEXT[due["fate"], due["stage"]], due["at"]
    lost = np.where(due["fate"] == UNQUALIFIED, 3, 2)
    won = stage == WON
    m = int(won.sum())
    d.cause("lead", due["person"][won], at[won] + rng.integers(600, 7_200, m),
            in_store=chance(rng, 0.5, m))  # fmt: skip
    return due | {
        "stage": stage,
        "outcome": np.where(won, 1, np.where(stage == LOST, lost, 0)),
        "contacted_at": np.where(stage == CONTACTED, at, due["contacted_at"]),
    }


def _deliver(d: Delivery, leads: Frame, updated: Ints) -> None:
    style, person, p = leads["style"], leads["person"], d.world.p
    # A name and a number, often an address; never the account's number.
    told = style % 89 < 50
    d.add(CRM, "leads", pa.table({
        "lead_id": label("L", leads["lead"]),
        "full_name": d.typed_name(person, style), "phone": d.typed_phone(p["phone"][person], style),
        "email": nulled(d.typed_email(p["email1"][person], style), told),
        "source": take(_SOURCES, leads["source"]), "stage": take(STAGES, leads["stage"]),
        "score": leads["score"],
        "outcome": nulled(take(OUTCOMES, leads["outcome"]), leads["outcome"] > 0),
        "owner": take(OWNERS, leads["owner"]), "amount": leads["amount"],
        "expected_close_on": pa.array(leads["close_on"], pa.int32()).cast(pa.date32()),
        "created_at": moments(leads["created_at"]),
        "contacted_at": moments(leads["contacted_at"], known=leads["contacted_at"] > 0),
        "updated_at": moments(updated),
    }))  # fmt: skip
