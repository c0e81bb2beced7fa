"""Telephone calls: sales calls to members who have been silent, to leads and to the people on the
business's call list, and inbound care.

A sales call that is answered makes some people buy within a week who would not have
(`truth/journal/causes`), and annoys a few.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sandbox import conversations
from sandbox.accounts import CONSENTS, deliver_consents
from sandbox.delivery import CRM, SHOP, TILLS, Delivery, open_hours
from sandbox.draw import DAY_SECONDS, Ints, chance, label, label_where, moments, nulled, pick, take
from sandbox.frames import Frame, rows, where
from sandbox.web_orders import COMPLETED
from sandbox.world import NEVER

_CALLS_PER_DAY = 0.0022  # of the people
_SILENT_DAYS = 30
_ANSWERED, _WORKS, _ANNOYS = 0.56, 0.13, 0.03
OUTCOMES = ["interested", "not_interested", "call_back", "do_not_call", "no_answer", "busy",
            "wrong_number", "resolved", "escalated", "missed"]  # fmt: skip
DO_NOT_CALL = 3
_SAID, _UNANSWERED = [25, 42, 25, 8], [0, 0, 0, 0, 70, 24, 6]
_CARE_PER_ORDER = 0.05
_LISTED_PER_DAY = 0.25  # of the call list; the agents may call then: Decree 91/2020 as policy.yml
_FROM, _UNTIL = 8 * 3_600, 17 * 3_600
PHONE_MARKETING = CONSENTS.index(("phone", "marketing"))
_PURPOSES = ["sales", "care"]
_CLASSES = ["promotion", "question", "complaint", "care"]
AGENTS = 6
LISTED = "GL"  # how the numbers of calls from the list begin


def run(d: Delivery, contacted: Frame, settled: Frame, call_list: Sequence[int] = ()) -> None:
    """Today's calls; `contacted` are the leads that were spoken to today, `call_list` the numbers
    that the business wants called.
    """
    rng = d.rng("sales-calls")
    _to_leads(d, contacted, rng)
    _to_the_silent(d, rng)
    _inbound(d, settled, rng)
    _to_the_listed(d, call_list)


def _to_leads(d: Delivery, leads: Frame, rng: np.random.Generator) -> None:
    outcome = np.where(leads["outcome"] == 0, pick(rng, [60, 0, 40], rows(leads)), 1)
    _deliver(
        d, rng, leads["person"], leads["contacted_at"], outcome, phone_style=leads["style"],
        answered=np.ones(rows(leads), bool),
    )  # fmt: skip


def _to_the_silent(d: Delivery, rng: np.random.Generator) -> None:
    p, size = d.world.p, d.world.size
    last = np.maximum(np.maximum(p["bought_at"], p["account_at"]), p["card_at"])
    silence = min(_SILENT_DAYS, size.days // 2) * DAY_SECONDS
    silent = np.flatnonzero((last > 0) & (last < d.start - silence))
    n = min(len(silent), int(size.people * _CALLS_PER_DAY * size.pace) + 1)
    persons = np.sort(rng.choice(silent, n, replace=False))
    _sell(d, rng, persons, d.start + rng.integers(9 * 3_600, 20 * 3_600, n))


def _to_the_listed(d: Delivery, numbers: Sequence[int]) -> None:
    """The agents get through a part of the list each day, from a stream of its own: without a list
    nothing else of a history differs.
    """
    p, rng = d.world.p, d.rng("call-list")
    wanted = np.sort(np.array(numbers, np.int64))
    wanted = wanted[chance(rng, _LISTED_PER_DAY, len(wanted))]
    here = np.flatnonzero(p["starts_on"] <= d.day)
    owners, owned = np.tile(here, 2), np.concatenate([p["phone"][here], p["phone2"][here]])
    is_wanted = np.isin(owned, wanted)
    phones, first = np.unique(owned[is_wanted], return_index=True)  # of several the first answers
    if len(phones):
        at = d.start + rng.integers(_FROM, _UNTIL, len(phones))
        _sell(d, rng, owners[is_wanted][first], at, listed=phones)


def _sell(
    d: Delivery, rng: np.random.Generator, persons: Ints, at: Ints, *, listed: Ints | None = None
) -> None:
    """Call these people, at the numbers of the list where there is one; see what comes of it."""
    p, n = d.world.p, len(persons)
    answered = chance(rng, _ANSWERED, n)
    works = answered & chance(rng, _WORKS, n) & (p["gone_at"][persons] == 0)
    said = np.where(works, 0, pick(rng, _SAID, n))
    outcome = np.where(answered, said, pick(rng, _UNANSWERED, n))
    _deliver(d, rng, persons, at, outcome, phone_style=d.styles(rng, persons), answered=answered,
             listed=listed)  # fmt: skip
    _withdraw(d, persons[outcome == DO_NOT_CALL], at[outcome == DO_NOT_CALL] + 600)
    bought = np.flatnonzero(works)
    later = at[bought] + rng.integers(1, 6, len(bought)) * DAY_SECONDS
    in_store = (p["card"][persons[bought]] >= 0) & chance(rng, 0.7, len(bought))
    d.cause("call", persons[bought], later, in_store=in_store)
    annoyed = np.flatnonzero(answered & ~works & chance(rng, _ANNOYS, n))
    complained = open_hours(at[annoyed] + rng.integers(3_600, 2 * DAY_SECONDS, len(annoyed)))
    conversations.plan(d, rng, persons[annoyed], complained, about=conversations.COMPLAINT)


def _withdraw(d: Delivery, persons: Ints, at: Ints) -> None:
    """Who asks not to be called is noted by the shop and by the tills, where they had agreed."""
    for source, consents in ((SHOP, "web_consent"), (TILLS, "card_consent")):
        granted = d.world.p[consents]
        agreed = (granted[persons] >> PHONE_MARKETING & 1) == 1
        who = persons[agreed]
        granted[who] ^= 1 << PHONE_MARKETING
        deliver_consents(
            d, source, persons=who, pairs=np.full(len(who), PHONE_MARKETING),
            granted=np.zeros(len(who), bool), at=at[agreed],
        )  # fmt: skip


def _inbound(d: Delivery, settled: Frame, rng: np.random.Generator) -> None:
    """Customers who ring about an order that has arrived."""
    arrived = where(settled, settled["status"] == COMPLETED)
    ringing = where(arrived, chance(rng, _CARE_PER_ORDER, rows(arrived)))
    n = rows(ringing)
    answered = chance(rng, 0.88, n)
    outcome = np.where(answered, pick(rng, [0] * 7 + [85, 15], n), 9)
    at = d.start + rng.integers(8 * 3_600, 21 * 3_600, n)
    _deliver(
        d, rng, ringing["person"], at, outcome, phone_style=ringing["style"], answered=answered,
        inbound=1 + pick(rng, [50, 35, 15], n), order=ringing["order"],
    )  # fmt: skip


def _deliver(
    d: Delivery, rng: np.random.Generator, persons: Ints, at: Ints, outcome: Ints, *,
    phone_style: Ints, answered: np.ndarray, inbound: Ints | None = None,
    order: Ints | None = None, listed: Ints | None = None,
) -> None:  # fmt: skip
    """Rows of calls; `inbound`: the content class of calls that customers made; `listed`: the
    numbers called where they are those of the call list.
    """
    n, p = len(persons), d.world.p
    series = ("G", "call") if listed is None else (LISTED, "listed-call")
    call = label(series[0], d.world.issue(series[1], n), 8)
    phones = p["phone"][persons] if listed is None else listed
    d.truth(CRM, "calls", call, persons)
    # The exchange logs the number; who has a card open on the screen is logged with it.
    card = p["card"][persons]
    seconds = np.minimum(rng.lognormal(4.6, 0.8, n), 1_800).astype(np.int64) + 8
    is_care = np.full(n, int(inbound is not None))
    orders = np.full(n, NEVER) if order is None else order
    agents = pc.cast(pa.array(rng.integers(1, AGENTS + 1, n)), pa.string())
    d.add(CRM, "calls", pa.table({
        "call_id": call, "phone": d.typed_phone(phones, phone_style),
        "member_number": label_where("KH", card, (card >= 0) & chance(rng, 0.5, n)),
        "direction": take(["outbound", "inbound"], is_care), "purpose": take(_PURPOSES, is_care),
        "answered": pa.array(answered), "seconds": np.where(answered, seconds, 0),
        "outcome": take(OUTCOMES, outcome),
        "agent": nulled(pc.binary_join_element_wise("tv", agents, "-"),
                        answered | (is_care == 0)),
        "content_class": take(_CLASSES, np.zeros(n, np.int64) if inbound is None else inbound),
        "order_id": label_where("W", orders, orders >= 0), "started_at": moments(at),
    }))  # fmt: skip
