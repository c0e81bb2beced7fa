"""Today's web sessions: who comes, on which device, from where, what they see and put in a cart.

A visit is a row of numbers; `events` turns visits into Segment's lines and `web_orders` turns the
carts of ordering visits into orders.
"""

from __future__ import annotations

import numpy as np

from sandbox import accounts
from sandbox.catalogue import wanted, wanted_row
from sandbox.delivery import Delivery
from sandbox.draw import DAY_SECONDS, chance, pick_by_row
from sandbox.frames import Frame, append, rows, split_due, where
from sandbox.world import BROWSE, BUY, NEVER, RECOVER

MAX_VIEWS = 6
SOURCES = [
    ("", "", "(direct)"), ("google", "organic", ""), ("google", "cpc", "ads"),
    ("facebook", "paid_social", "ads"), ("tiktok", "paid_social", "ads"), ("zalo", "social", ""),
    ("newsletter", "email", "campaign"),
]  # fmt: skip
NEWSLETTER = 6
# Habits by generation (rows: gen Z, gen Y, gen X, boomer).
_SOURCE_WEIGHTS = [
    [24, 16, 7, 12, 30, 11], [30, 24, 13, 20, 5, 8], [36, 28, 14, 14, 1, 7], [45, 28, 9, 13, 0, 5],
]  # fmt: skip
_HOUR_WEIGHTS = np.array([
    [5, 2, 1, .5, .3, .3, .5, 1, 1.5, 2, 2.5, 4, 5, 3, 3, 3, 3.5, 4, 5, 7, 9, 11, 12, 10],
    [1, .5, .3, .2, .2, .5, 1.5, 3, 4, 5, 5, 7, 9, 5, 4, 4, 4, 4, 5, 7, 10, 9, 6, 3],
    [.4, .2, .1, .1, .3, 1, 3, 5, 7, 8, 7, 6, 5, 4, 5, 5, 5, 5, 5, 7, 8, 6, 3, 1],
    [.2, .1, .1, .2, 1, 3, 6, 8, 9, 9, 7, 5, 3, 3, 5, 6, 6, 5, 4, 5, 5, 3, 1, .5],
])  # fmt: skip
_MOBILE_SHARE = np.array([0.86, 0.68, 0.55, 0.45])
_CART_SHARE = np.array([0.25, 0.23, 0.19, 0.13])
_ORDER_SHARE = np.array([0.36, 0.46, 0.44, 0.38])
NATURAL_RECOVERY = np.array([0.09, 0.12, 0.10, 0.06])
# Orders that a visit leads to by itself, now or when its cart is remembered.
ORDERS_PER_VISIT = _CART_SHARE * (_ORDER_SHARE + (1 - _ORDER_SHARE) * NATURAL_RECOVERY)


def plan(d: Delivery) -> Frame:
    """All visits of the day, ordered by start."""
    w, rng = d.world, d.rng("visits")
    weekday = w.date_of(d.day).weekday()
    busy = 1.25 if weekday >= 5 else 0.95
    counts = rng.poisson(np.where(w.here(), w.p["visit_rate"] * busy, 0.0))
    person = np.repeat(np.arange(len(w)), counts)
    generation = w.p["generation"][person]
    hour = pick_by_row(rng, _HOUR_WEIGHTS, generation)
    at = d.start + hour * 3_600 + rng.integers(0, 3_600, len(person))
    due, w.frames["visits"] = split_due(w.frames["visits"], d.end)
    v = append(due, person=person, at=at, campaign=NEVER, why=BROWSE, cart=NEVER, caused=0)
    v = _drop_settled(d, v)
    v = where(v, np.argsort(v["at"], kind="stable"))
    _devices_and_sources(d, v, rng)
    _intent(d, v, rng)
    return v


def _drop_settled(d: Delivery, v: Frame) -> Frame:
    """A cart is recovered once: later visits meant to recover it are plain visits."""
    open_carts = d.world.frames["carts"]["cart"]
    meant = np.flatnonzero(v["why"] == RECOVER)
    first = np.zeros(rows(v), bool)
    first[meant[np.unique(v["cart"][meant], return_index=True)[1]]] = True
    valid = first & np.isin(v["cart"], open_carts)
    settled = (v["why"] == RECOVER) & ~valid
    v["why"][settled] = BROWSE
    v["cart"][settled] = NEVER
    return v


def _devices_and_sources(d: Delivery, v: Frame, rng: np.random.Generator) -> None:
    p, n = d.world.p, rows(v)
    person, generation = v["person"], d.world.p["generation"][v["person"]]
    device = np.where(chance(rng, _MOBILE_SHARE[generation], n), p["mobile"][person],
                      p["laptop"][person])  # fmt: skip
    v["device"] = np.where(chance(rng, 0.2, n), p["borrowed"][person], device)
    source = pick_by_row(rng, _SOURCE_WEIGHTS, generation)
    v["source"] = np.where(v["campaign"] >= 0, NEWSLETTER, source)
    used = np.unique(v["device"])
    fresh = used[chance(rng, 0.012, len(used))]  # cookies are cleared now and then
    d.world.device["cookie"][fresh] += 1
    d.world.device["user"][fresh] = NEVER


def _intent(d: Delivery, v: Frame, rng: np.random.Generator) -> None:
    """What happens in each visit: products seen, cart, checkout, order, log-in, sign-up."""
    p, n, person = d.world.p, rows(v), v["person"]
    generation = p["generation"][person]
    recovers, buys = v["why"] == RECOVER, v["why"] == BUY
    # Whom a mail brings without moving only looks: what a campaign causes is its uplift alone.
    looks = (v["campaign"] >= 0) & (v["why"] == BROWSE)
    cart = buys | chance(rng, _CART_SHARE[generation], n) & ~recovers & ~looks
    v["views"] = np.minimum(1 + rng.poisson(2.1, n), MAX_VIEWS)
    v["views"][recovers] = 1
    v["views"][chance(rng, 0.18, n) & ~cart & ~recovers] = 0  # left from the first page
    v["adds"] = np.where(cart, np.minimum(1 + pick_by_row(rng, [[70, 22, 8]], person * 0),
                                          v["views"]), 0)  # fmt: skip
    v["order"] = (recovers | buys | cart & chance(rng, _ORDER_SHARE[generation], n)).astype(int)
    v["checkout"] = v["order"] | (cart & chance(rng, 0.35, n))
    v["search"] = chance(rng, 0.35, n).astype(int) * (v["views"] > 0)
    products, taste = wanted(d.day), wanted_row(generation, p["value"][person])
    for slot in range(MAX_VIEWS):
        v[f"v{slot}"] = pick_by_row(rng, products, taste)
    for slot in range(3):
        v[f"q{slot}"] = 1 + chance(rng, 0.07, n).astype(np.int64)
    _log_ins(d, v, rng)
    _sign_ups(d, v, rng)
    _carts(d, v, rng)
    # Nobody shops past midnight: a long visit starts a little earlier instead.
    v["at"] = np.minimum(v["at"], d.start + DAY_SECONDS - 3_000)


def _log_ins(d: Delivery, v: Frame, rng: np.random.Generator) -> None:
    """`user`: the account the visit is known under (-1: anonymous); `login`: it identifies now."""
    p, person, n = d.world.p, v["person"], rows(v)
    account = p["account"][person]
    stays = d.world.device["user"][v["device"]] == account
    willing = np.where(v["order"] == 1, 0.82, np.where(stays, 0.88, 0.5))
    known = (account >= 0) & chance(rng, willing, n)
    v["user"] = np.where(known, account, NEVER)
    v["login"] = (known & (~stays | chance(rng, 0.06, n))).astype(np.int64)
    d.world.device["user"][v["device"][known]] = account[known]


def _sign_ups(d: Delivery, v: Frame, rng: np.random.Generator) -> None:
    """First visits that end in a new account; a few are made on the store's shared tablet."""
    p, person, n = d.world.p, v["person"], rows(v)
    willing = chance(rng, np.where(v["order"] == 1, 0.42, 0.075), n) & (p["account"][person] < 0)
    candidates = np.flatnonzero(willing)
    candidates = candidates[np.unique(person[candidates], return_index=True)[1]]
    v["signup"] = np.zeros(n, np.int64)
    v["signup"][candidates] = 1
    on_tablet = candidates[(v["adds"][candidates] == 0) & (v["order"][candidates] == 0)]
    on_tablet = on_tablet[d.world.issue("tablet-turn", len(on_tablet)) % 10 == 0]
    v["device"][on_tablet] = p["store"][person[on_tablet]]
    v["source"][on_tablet] = 0
    v["at"][on_tablet] = d.start + rng.integers(9 * 3_600, 21 * 3_600, len(on_tablet))
    # A visit may begin before midnight; its account is delivered with the day that it ends in.
    opened = np.maximum(v["at"][candidates] + 400, d.start)
    accounts.open_accounts(d, person[candidates], opened, "web")
    v["user"][candidates] = p["account"][person[candidates]]
    d.world.device["user"][v["device"][candidates]] = v["user"][candidates]


def _carts(d: Delivery, v: Frame, rng: np.random.Generator) -> None:
    """New carts get numbers; those left behind are remembered, some to be recovered unprompted."""
    w, person = d.world, v["person"]
    new = np.flatnonzero(v["adds"] > 0)
    v["cart"][new] = w.issue("cart", len(new))
    left = new[v["order"][new] == 0]
    known = v["user"][left] >= 0
    generation = w.p["generation"][person[left]]
    natural = chance(rng, NATURAL_RECOVERY[generation], len(left))
    w.frames["carts"] = append(
        w.frames["carts"], cart=v["cart"][left], person=person[left],
        email=np.where(known, w.p["account_email"][person[left]], NEVER), at=v["at"][left] + 600,
        n=v["adds"][left], natural=natural.astype(int),
        **{f"p{i}": v[f"v{i}"][left] for i in range(3)},
        **{f"q{i}": v[f"q{i}"][left] for i in range(3)},
    )  # fmt: skip
    again = left[natural]
    delay = rng.integers(1, 6, len(again)) * DAY_SECONDS + rng.integers(-7_200, 7_200, len(again))
    w.frames["visits"] = append(
        w.frames["visits"], person=person[again], at=v["at"][again] + delay, campaign=NEVER,
        why=RECOVER, cart=v["cart"][again], caused=0,
    )  # fmt: skip
