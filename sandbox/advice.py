"""Appointments and advice in stores: booked ahead or asked for on the spot; some then buy."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sandbox.catalogue import store_ids
from sandbox.delivery import CRM, Delivery
from sandbox.draw import DAY_SECONDS, Ints, chance, label, label_where, moments, pick, take
from sandbox.frames import Frame, append, split_due, where

BOOKED, COMPLETED, NO_SHOW, CANCELLED = range(4)
STATUS = ["booked", "completed", "no_show", "cancelled"]
PURPOSES = ["thử giày", "đo dáng chạy", "tư vấn phối đồ", "bảo hành"]
_PURPOSE_WEIGHTS = [40, 25, 20, 15]
_PER_DAY = 0.0011  # of the people
_BUYS = np.array([0.45, 0.5, 0.4, 0.12])  # by purpose
_WALK_IN = 0.5
AGENTS = 4


def run(d: Delivery) -> None:
    """Today's bookings, and what became of those for today; before the tills open."""
    rng, w = d.rng("advice"), d.world
    came, waiting = split_due(w.frames["appointments"], d.end)
    p, size = w.p, w.size
    here = np.flatnonzero(w.here())
    n = int(size.people * _PER_DAY * size.pace) + 1
    person = np.sort(rng.choice(here, n, replace=False))
    walk_in = chance(rng, _WALK_IN, n)
    hours = d.start + rng.integers(9, 20, n) * 3_600
    starts = hours + np.where(walk_in, 0, rng.integers(1, 6, n) * DAY_SECONDS)
    status = np.where(walk_in, COMPLETED, 1 + pick(rng, [74, 16, 10], n))
    made: Frame = {
        "appointment": w.issue("appointment", n), "person": person,
        "store": p["store"][person].astype(np.int64), "purpose": pick(rng, _PURPOSE_WEIGHTS, n),
        "status": status, "agent": rng.integers(1, AGENTS + 1, n), "style": d.styles(rng, person),
        "booked_at": np.where(walk_in, starts, hours - rng.integers(0, 3_600, n)),
        "starts_at": starts, "at": starts,
    }  # fmt: skip
    d.truth(CRM, "appointments", label("LH", made["appointment"]), person)
    _deliver(d, where(made, walk_in), made["status"][walk_in])
    _deliver(d, where(made, ~walk_in), np.zeros(int((~walk_in).sum()), np.int64))
    _deliver(d, came, came["status"])
    w.frames["appointments"] = append(waiting, **where(made, ~walk_in))
    for done in (where(made, walk_in), came):
        buys = chance(rng, _BUYS[done["purpose"]], len(done["status"]))
        bought = where(done, (done["status"] == COMPLETED) & buys)
        m = len(bought["at"])
        d.cause("advice", bought["person"], bought["at"] + rng.integers(300, 3_000, m),
                in_store=np.ones(m, bool))  # fmt: skip


def _deliver(d: Delivery, made: Frame, status: Ints) -> None:
    p, person, style = d.world.p, made["person"], made["style"]
    card = p["card"][person]
    by_card = (card >= 0) & (style % 97 < 48)
    agents = pc.cast(pa.array(made["agent"]), pa.string())
    updated = np.where(status == BOOKED, made["booked_at"], made["starts_at"] + 1_800)
    d.add(CRM, "appointments", pa.table({
        "appointment_id": label("LH", made["appointment"]),
        "member_number": label_where("KH", card, by_card),
        "phone": d.typed_phone(np.where(by_card, -1, p["phone"][person]), style),
        "full_name": d.typed_name(person, style), "store_id": store_ids(made["store"]),
        "purpose": take(PURPOSES, made["purpose"]), "status": take(STATUS, status),
        "agent": pc.binary_join_element_wise(store_ids(made["store"]), agents, "-"),
        "booked_at": moments(made["booked_at"]), "starts_at": moments(made["starts_at"]),
        "updated_at": moments(updated),
    }))  # fmt: skip
