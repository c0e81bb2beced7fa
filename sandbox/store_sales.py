"""Sales at the tills: receipts with and without a member number, new cards, returns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sandbox import accounts, offers
from sandbox.canaries import CANARY_COUNT
from sandbox.catalogue import product_ids, store_ids, wanted, wanted_row
from sandbox.delivery import TILLS, Delivery
from sandbox.draw import (
    DAY_SECONDS,
    Bools,
    Ints,
    chance,
    label,
    label_where,
    moments,
    pick,
    pick_by_row,
    take,
)
from sandbox.frames import Frame, append, rows, split_due, where
from sandbox.web_orders import totals, unroll
from sandbox.world import NEVER

METHODS = ["cash", "card", "qr", "momo"]
_METHOD_WEIGHTS = [[20, 18, 34, 28], [26, 34, 30, 10], [45, 30, 22, 3], [70, 20, 9, 1]]
_OPEN_HOUR_WEIGHTS = [2, 3, 4, 4, 3, 3, 4, 4, 6, 9, 10, 7]  # 9:00 to 21:00
_TIER_AT = np.array([3, 7])  # receipts with the card


def sell(d: Delivery) -> None:
    """Today's receipts."""
    w, p, rng = d.world, d.world.p, d.rng("stores")
    busy = 1.5 if w.date_of(d.day).weekday() >= 5 else 0.8
    rate = np.where(w.here(), p["store_rate"] * busy, 0.0)
    person = np.flatnonzero(rng.random(len(w)) < rate)
    n = len(person)
    opening = pick(rng, _OPEN_HOUR_WEIGHTS, n) + 9
    sold_at = d.start + opening * 3_600 + rng.integers(0, 3_600, n)
    person, sold_at = _with_planned(d, person, sold_at)
    n = len(person)
    _new_cards(d, person, sold_at, rng)
    shows_card = (p["card"][person] >= 0) & chance(rng, 0.92, n)
    store = np.where(chance(rng, 0.1, n), rng.integers(0, w.size.stores, n), p["store"][person])
    receipts: Frame = {
        "receipt": w.issue("receipt", n), "person": person, "store": store,
        "till": rng.integers(1, 4, n), "card": np.where(shows_card, p["card"][person], NEVER),
        "phone": np.where(~shows_card & chance(rng, 0.35, n), p["phone"][person], NEVER),
        "style": d.styles(rng, person), "sold_at": sold_at,
        "amount": np.zeros(n, np.int64), "is_whole": np.zeros(n, np.int64), "at": sold_at,
    }  # fmt: skip
    coupon = offers.till_coupons(d, person, sold_at)
    receipts["amount"], discount = _deliver_lines(d, receipts, coupon > 0, rng)
    d.truth(TILLS, "orders", label("R", receipts["receipt"]), person)
    d.bought(person, sold_at, "store")
    less = discount > 0
    offers.redeem_in_store(d, where(receipts, less), coupon[less], discount[less])
    _deliver(d, receipts, "completed")
    _deliver_payments(d, receipts, rng)
    _promote(d, person[shows_card], sold_at[shows_card])
    _plan_returns(d, receipts, rng)
    _ask(d, receipts, rng)


def _with_planned(d: Delivery, person: Ints, sold_at: Ints) -> tuple[Ints, Ints]:
    """Those who come by habit and those who were led here, each once, by time."""
    due, d.world.frames["store_visits"] = split_due(d.world.frames["store_visits"], d.end)
    _, first = np.unique(due["person"], return_index=True)
    first = first[~np.isin(due["person"][first], person)]
    person = np.concatenate([person, due["person"][first]])
    sold_at = np.concatenate([sold_at, due["at"][first]])
    order = np.argsort(sold_at, kind="stable")
    return person[order], sold_at[order]


def _new_cards(d: Delivery, person: Ints, at: Ints, rng: np.random.Generator) -> None:
    joins = (d.world.p["card"][person] < 0) & chance(rng, 0.36, len(person))
    accounts.issue_cards(d, person[joins], at[joins] - 120, "till")


def _deliver_lines(
    d: Delivery, receipts: Frame, has_code: Bools, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    n, p, person = rows(receipts), d.world.p, receipts["person"]
    products, taste = wanted(d.day), wanted_row(p["generation"][person], p["value"][person])
    items = {"n": 1 + pick(rng, [68, 24, 8], n)}
    for i in range(3):
        items[f"p{i}"] = pick_by_row(rng, products, taste)
        items[f"q{i}"] = 1 + chance(rng, 0.06, n).astype(np.int64)
    parent, product, units = unroll(items)
    price = d.world.prices[product]
    member = receipts["card"][parent] >= 0
    percent = np.where(has_code[parent], 10, np.where(member, 5, 0))
    discount = price * units * percent // 100_000 * 1_000
    amount = price * units - discount
    d.add(TILLS, "receipt_lines", pa.table({
        "receipt_line_id": label("RL", d.world.issue("receipt-line", len(parent)), 8),
        "receipt_id": label("R", receipts["receipt"][parent]), "product_id": product_ids(product),
        "quantity": units, "unit_price": price, "discount": discount, "amount": amount,
        "updated_at": moments(receipts["sold_at"][parent], utc=True),
    }))  # fmt: skip
    return totals(parent, amount, n), totals(parent, discount, n)


def _deliver(d: Delivery, receipts: Frame, status: str) -> None:
    till = pa.array(receipts["till"]).cast(pa.string())
    store = store_ids(receipts["store"])
    d.add(TILLS, "receipts", pa.table({
        "receipt_id": label("R", receipts["receipt"]), "store_id": store,
        "till_id": pa.compute.binary_join_element_wise(store, till, "-"),
        "member_number": label_where("KH", receipts["card"], receipts["card"] >= 0),
        "phone": d.typed_phone(receipts["phone"], receipts["style"]),
        "status": pa.repeat(status, rows(receipts)),
        "sold_at": moments(receipts["sold_at"], utc=True),
        "updated_at": moments(receipts["at"], utc=True),
    }))  # fmt: skip


def _deliver_payments(d: Delivery, receipts: Frame, rng: np.random.Generator) -> None:
    """One payment each; a few pay half in cash."""
    generation = d.world.p["generation"][receipts["person"]]
    method = pick_by_row(rng, _METHOD_WEIGHTS, generation)
    halves = chance(rng, 0.03, rows(receipts)) & (method > 0)
    cash = np.where(halves, receipts["amount"] // 2_000 * 1_000, 0)
    split = np.flatnonzero(halves)
    index = np.concatenate([np.arange(rows(receipts)), split])
    amount = np.concatenate([receipts["amount"] - cash, cash[split]])
    d.add(TILLS, "payments", pa.table({
        "payment_id": label("RP", d.world.issue("till-payment", len(index)), 8),
        "receipt_id": label("R", receipts["receipt"][index]),
        "method": take(METHODS, np.concatenate([method, np.zeros(len(split), np.int64)])),
        "amount": amount, "paid_at": moments(receipts["sold_at"][index] + 60, utc=True),
    }))  # fmt: skip


def _promote(d: Delivery, person: Ints, at: Ints) -> None:
    """Count receipts on cards; the third and the seventh raise the tier."""
    p = d.world.p
    np.add.at(p["receipts"], person, 1)
    tier = np.searchsorted(_TIER_AT, p["receipts"][person], side="right")
    raised = tier > p["tier"][person]
    p["tier"][person[raised]] = tier[raised]
    p["card_changed_at"][person[raised]] = at[raised] + 90


def _plan_returns(d: Delivery, receipts: Frame, rng: np.random.Generator) -> None:
    back = where(receipts, chance(rng, 0.05, rows(receipts)))
    n = rows(back)
    at = (back["sold_at"] // DAY_SECONDS + rng.integers(1, 13, n)) * DAY_SECONDS + rng.integers(
        9 * 3_600, 21 * 3_600, n
    )
    whole = chance(rng, 0.7, n).astype(np.int64)
    d.world.frames["returns"] = append(
        d.world.frames["returns"], **(back | {"is_whole": whole, "at": at})
    )


def take_back(d: Delivery) -> None:
    """Today's returns of earlier receipts."""
    due, d.world.frames["returns"] = split_due(d.world.frames["returns"], d.end)
    share = np.where(due["is_whole"] == 1, 1.0, 0.4)
    d.add(TILLS, "returns", pa.table({
        "return_id": label("RT", d.world.issue("return", rows(due))),
        "receipt_id": label("R", due["receipt"]),
        "amount": (due["amount"] * share).astype(np.int64) // 1_000 * 1_000,
        "returned_at": moments(due["at"], utc=True),
    }))  # fmt: skip
    _deliver(d, where(due, due["is_whole"] == 1), "returned")
    _deliver(d, where(due, due["is_whole"] == 0), "completed")


def _ask(d: Delivery, receipts: Frame, rng: np.random.Generator) -> None:
    """Card holders with an e-mail are asked how the visit was."""
    p, person = d.world.p, receipts["person"]
    asked = (receipts["card"] >= 0) & accounts.gives_email(d, person)
    asked &= chance(rng, np.where(person < CANARY_COUNT, 0.5, 0.14), rows(receipts))
    person, at = person[asked], receipts["sold_at"][asked]
    d.world.frames["surveys"] = append(
        d.world.frames["surveys"], kind=1, person=person, account=NEVER,
        email=p["email1"][person], at=at + rng.integers(3_600, DAY_SECONDS, len(at)),
    )  # fmt: skip
