"""Web orders: from the cart of an ordering visit to delivery, cancellation or return."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sandbox import names, offers
from sandbox.catalogue import product_ids
from sandbox.delivery import SHOP, Delivery
from sandbox.draw import (
    DAY_SECONDS,
    Bools,
    Ints,
    chance,
    label,
    label_where,
    moments,
    nulled,
    pick_by_row,
    take,
)
from sandbox.frames import Frame, append, rows, split_due, where
from sandbox.world import NEVER, RECOVER

METHODS = ["cod", "bank_transfer", "momo", "zalopay", "card"]
_METHOD_WEIGHTS = [[26, 16, 38, 12, 8], [34, 26, 20, 8, 12], [46, 30, 8, 4, 12], [60, 28, 3, 2, 7]]
_CANCELS = [0.03, 0.07]  # paid at once, cash on delivery
_COD_SHARE = np.array([row[0] / sum(row) for row in _METHOD_WEIGHTS])
KEPT_SHARE = 1 - _CANCELS[0] - (_CANCELS[1] - _CANCELS[0]) * _COD_SHARE  # of orders, by generation
PENDING, PAID, COMPLETED, CANCELLED, RETURNED = range(5)
STATUS = ["pending", "paid", "completed", "cancelled", "returned"]


def place(d: Delivery, v: Frame) -> None:
    """Orders of today's ordering visits; adds `order_no`, `total` and `units` to the visits."""
    rng, w = d.rng("web-orders"), d.world
    n = rows(v)
    v["order_no"], v["total"] = np.full(n, NEVER), np.zeros(n, np.int64)
    ordering = np.flatnonzero(v["order"] == 1)
    items = _items(d, v, ordering)
    person = v["person"][ordering]
    coupon = offers.web_coupons(d, v["campaign"][ordering], person, v["at"][ordering], rng)
    order_no = w.issue("order", len(ordering))
    v["order_no"][ordering] = order_no
    amount, discount = _deliver_lines(d, order_no, items, coupon > 0)
    v["total"][ordering] = amount
    method = pick_by_row(rng, _METHOD_WEIGHTS, w.p["generation"][person])
    gift = chance(rng, 0.07, len(ordering))
    elsewhere = rng.integers(0, len(names.provinces()), len(ordering))
    guest_email = np.where(chance(rng, 0.55, len(ordering)), w.p["email2"][person],
                           w.p["email0"][person])  # fmt: skip
    ordered_at = v["at"][ordering] + 1_500
    orders: Frame = {
        "order": order_no, "person": person, "account": v["user"][ordering],
        "email": guest_email, "cart": v["cart"][ordering], "style": d.styles(rng, person),
        "province": np.where(gift, elsewhere, w.p["province"][person]),
        "coupon": coupon, "ordered_at": ordered_at, "amount": amount,
        "method": method, "status": np.where(method == 0, PENDING, PAID), "at": ordered_at,
    }  # fmt: skip
    d.truth(SHOP, "orders", label("W", order_no), person)
    d.bought(person, ordered_at, "web")
    offers.redeem_online(d, where(orders, coupon > 0), discount[coupon > 0])
    _deliver(d, orders)
    _deliver_payments(d, where(orders, method != 0))
    _plan_fate(d, orders, rng)
    recovered = v["cart"][ordering]
    keep = ~np.isin(w.frames["carts"]["cart"], recovered)
    w.frames["carts"] = where(w.frames["carts"], keep)


def _items(d: Delivery, v: Frame, ordering: Ints) -> Frame:
    """n, p0..p2, q0..q2 of each order: from the visit, or from the cart that is recovered."""
    items = {"n": np.maximum(v["adds"][ordering], 1)}
    for i in range(3):
        items[f"p{i}"], items[f"q{i}"] = v[f"v{i}"][ordering].copy(), v[f"q{i}"][ordering].copy()
    carts = d.world.frames["carts"]
    recovers = np.flatnonzero(v["why"][ordering] == RECOVER)
    by_cart = np.argsort(carts["cart"])
    wanted = v["cart"][ordering[recovers]]
    found = by_cart[np.searchsorted(carts["cart"], wanted, sorter=by_cart)]
    for column, values in items.items():
        values[recovers] = carts[column][found]
    return items


def _deliver_lines(d: Delivery, order_no: Ints, items: Frame, coupon: Bools) -> tuple[Ints, Ints]:
    """Writes order lines; gives the amount and the discount of each order in VND."""
    parent, product, units = unroll(items)
    price = d.world.prices[product]
    discount = np.where(coupon[parent], price * units // 10_000 * 1_000, 0)
    amount = price * units - discount
    d.add(SHOP, "order_lines", pa.table({
        "order_line_id": label("WL", d.world.issue("order-line", len(parent)), 8),
        "order_id": label("W", order_no[parent]), "product_id": product_ids(product),
        "quantity": units, "unit_price": price, "discount": discount, "amount": amount,
    }))  # fmt: skip
    return totals(parent, amount, len(order_no)), totals(parent, discount, len(order_no))


def totals(parent: Ints, values: Ints, count: int) -> Ints:
    """The sum of `values` per parent."""
    return np.bincount(parent, weights=values, minlength=count).astype(np.int64)


def unroll(items: Frame) -> tuple[Ints, Ints, Ints]:
    """(basket index, product, units) of every line, from baskets of up to three lines."""
    slots = np.arange(3)[None, :] < items["n"][:, None]
    parent, slot = np.nonzero(slots)
    products = np.stack([items[f"p{i}"] for i in range(3)], axis=1)
    units = np.stack([items[f"q{i}"] for i in range(3)], axis=1)
    return parent, products[parent, slot], units[parent, slot]


def _deliver(d: Delivery, orders: Frame) -> None:
    """Rows of `orders` in their present status; guests leave their contacts instead of an id."""
    guest = orders["account"] < 0
    phone = d.world.p["phone"][orders["person"]]
    style, gives_phone = orders["style"], guest & (orders["style"] % 101 < 92)
    d.add(SHOP, "orders", pa.table({
        "order_id": label("W", orders["order"]),
        "user_id": label_where("U", orders["account"], ~guest),
        "guest_email": nulled(d.typed_email(orders["email"], style), guest),
        "guest_phone": nulled(d.typed_phone(phone, style), gives_phone),
        "guest_name": nulled(d.typed_name(orders["person"], style), guest),
        "cart_id": label("G", orders["cart"]),
        "status": take(STATUS, orders["status"]),
        "delivery_province": take([p.name for p in names.provinces()], orders["province"]),
        "delivery_country": pa.repeat("VN", len(guest)),
        "coupon_code": offers.codes(d, orders["coupon"]),
        "ordered_at": moments(orders["ordered_at"]),
        "updated_at": moments(orders["at"]),
    }))  # fmt: skip


def _deliver_payments(d: Delivery, orders: Frame) -> None:
    d.add(SHOP, "payments", pa.table({
        "payment_id": label("WP", d.world.issue("payment", rows(orders)), 8),
        "order_id": label("W", orders["order"]), "method": take(METHODS, orders["method"]),
        "amount": orders["amount"], "paid_at": moments(orders["at"]),
    }))  # fmt: skip


def _plan_fate(d: Delivery, orders: Frame, rng: np.random.Generator) -> None:
    cancels = chance(rng, np.take(_CANCELS, orders["method"] == 0), rows(orders))
    days = np.where(cancels, 1, rng.integers(2, 5, rows(orders)))
    next_step = orders | {
        "status": np.where(cancels, CANCELLED, COMPLETED),
        "at": orders["ordered_at"] // DAY_SECONDS * DAY_SECONDS + days * DAY_SECONDS
        + rng.integers(8 * 3_600, 20 * 3_600, rows(orders)),
    }  # fmt: skip
    d.world.frames["orders"] = append(d.world.frames["orders"], **next_step)


def settle(d: Delivery) -> Frame:
    """Today's deliveries, cancellations and returns of earlier orders: those orders."""
    rng, w = d.rng("settle"), d.world
    due, w.frames["orders"] = split_due(w.frames["orders"], d.end)
    _deliver(d, where(due, np.ones(rows(due), bool)))
    done = where(due, due["status"] == COMPLETED)
    _deliver_payments(d, where(done, done["method"] == 0))
    refunded = (due["status"] == RETURNED) | ((due["status"] == CANCELLED) & (due["method"] != 0))
    _deliver_refunds(d, where(due, refunded), share=1.0)
    _deliver_refunds(d, where(done, chance(rng, 0.012, rows(done))), share=0.3)
    back = where(done, chance(rng, 0.055, rows(done)))
    later = back["at"] + rng.integers(2, 13, rows(back)) * DAY_SECONDS
    w.frames["orders"] = append(w.frames["orders"], **(back | {
        "status": np.full(rows(back), RETURNED), "at": later,
    }))  # fmt: skip
    asked = where(done, chance(rng, 0.22, rows(done)))
    w.frames["surveys"] = append(
        w.frames["surveys"], kind=0, person=asked["person"], account=asked["account"],
        email=np.where(asked["account"] >= 0, w.p["account_email"][asked["person"]],
                       asked["email"]),
        at=asked["at"] + rng.integers(3_600, 3 * DAY_SECONDS, rows(asked)),
    )  # fmt: skip
    return due


def _deliver_refunds(d: Delivery, orders: Frame, share: float) -> None:
    amount = (orders["amount"] * share).astype(np.int64) // 1_000 * 1_000
    d.add(SHOP, "refunds", pa.table({
        "refund_id": label("WR", d.world.issue("refund", rows(orders)), 8),
        "order_id": label("W", orders["order"]), "amount": amount,
        "refunded_at": moments(orders["at"]),
    }))  # fmt: skip
