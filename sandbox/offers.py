"""Offers and where they were used: coupon codes of web orders, the card's discount at the tills.

An offer is a number: 1 the summer code, 2 the card's discount, above that a campaign's own code,
and from OWN on a code that one person was sent (`responses`).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sandbox.catalogue import store_ids
from sandbox.delivery import CRM, Delivery
from sandbox.draw import (
    DAY_SECONDS,
    Ints,
    campaign_ids,
    chance,
    label,
    label_where,
    moments,
    nulled,
    take,
)
from sandbox.effects import REMINDER, THANKS
from sandbox.frames import Frame, rows, where
from sandbox.responses import own_codes

NONE, SUMMER, CARD = 0, 1, 2
OWN = 1_000_000_000
_STANDING = ["", "HE2026", "THETHANHVIEN"]
_STANDING_NAMES = ["", "Mã hè 2026", "Ưu đãi thẻ thành viên"]
_STANDING_DAYS = 400  # before and after the history begins
_VALID_DAYS = np.array([14, 14, 14, 45])  # by kind of campaign
# Who looks for a code, by value (`names.VALUES`), and how much more after a campaign's click.
_USES_A_CODE = np.array([0.08, 0.07, 0.24, 0.10])
_AFTER_A_CLICK = 0.22


def codes(d: Delivery, offers: Ints) -> pa.Array:
    """What customers type; null for none."""
    campaigns = label("SAI", np.maximum(offers - CARD, 0), 3)
    standing = take(_STANDING, np.minimum(offers, CARD))
    shared = nulled(
        pa.compute.if_else(pa.array(offers > CARD), campaigns, standing), offers != NONE
    )
    own = pa.array([d.world.own_codes.get(n - OWN) for n in offers.tolist()], pa.string())
    return pa.compute.if_else(pa.array(offers > OWN), own, shared)


def announce(d: Delivery) -> None:
    """The standing offers on day 0, then each campaign's own as it starts; none to thank."""
    if d.day == 0:
        standing = np.array([SUMMER, CARD])
        reach = np.full(2, _STANDING_DAYS * DAY_SECONDS)
        _deliver(d, standing, pa.nulls(2, pa.string()), take(_STANDING_NAMES, standing),
                 since=d.start - reach, until=d.start + reach)  # fmt: skip
    campaigns = d.world.frames["campaigns"]
    is_new = (campaigns["started_at"] >= d.start) & (campaigns["kind"] != THANKS)
    new = where(campaigns, is_new)
    days = _VALID_DAYS[new["kind"]]
    titles = ["Mã bản tin", "Mã giữ giỏ hàng"]
    _deliver(d, CARD + new["campaign"], campaign_ids(d.world.seed, new["campaign"]),
             take(titles, (new["kind"] == REMINDER).astype(np.int64)),
             since=np.full(rows(new), d.start), until=d.start + days * DAY_SECONDS)  # fmt: skip


def _deliver(
    d: Delivery, offers: Ints, campaign: pa.Array, names: pa.Array, *, since: Ints, until: Ints
) -> None:
    d.add(CRM, "offers", pa.table({
        "offer_id": label("UD", offers, 4), "offer_code": codes(d, offers), "offer_name": names,
        "campaign_id": campaign, "valid_from": moments(since), "valid_to": moments(until - 1),
        "updated_at": moments(np.full(len(offers), d.start)),
    }))  # fmt: skip


def web_coupons(
    d: Delivery, campaign: Ints, person: Ints, at: Ints, rng: np.random.Generator
) -> Ints:
    """The offer each order uses: one's own code, a campaign's after its click, or the summer's."""
    clicked = campaign >= 0
    share = _USES_A_CODE[d.world.p["value"][person]] + _AFTER_A_CLICK * clicked
    uses = chance(rng, share, len(person))
    shared = np.where(uses, np.where(clicked, CARD + campaign, SUMMER), NONE)
    own = own_codes(d, person, at, in_store=False)
    return np.where(own > 0, OWN + own, shared)


def redeem_online(d: Delivery, orders: Frame, discount: Ints) -> None:
    """Codes used in web orders, by account or by a guest's address."""
    known = orders["account"] >= 0
    email = d.typed_email(np.where(known, -1, orders["email"]), orders["style"])
    nobody = pa.nulls(rows(orders), pa.string())
    _redeem(
        d, orders["person"], orders["coupon"], discount=discount, at=orders["ordered_at"],
        user_id=label_where("U", orders["account"], known), member_number=nobody, email=email,
        order_id=label("W", orders["order"]), store_id=nobody,
    )  # fmt: skip


def till_coupons(d: Delivery, person: Ints, at: Ints) -> Ints:
    """The codes that people show at the till."""
    own = own_codes(d, person, at, in_store=True)
    return np.where(own > 0, OWN + own, NONE)


def redeem_in_store(d: Delivery, receipts: Frame, coupon: Ints, discount: Ints) -> None:
    """One's own code, else the card's discount, by card where it was shown."""
    card = receipts["card"]
    nobody = pa.nulls(rows(receipts), pa.string())
    _redeem(
        d, receipts["person"], np.where(coupon > NONE, coupon, CARD), discount=discount,
        at=receipts["sold_at"], user_id=nobody, email=nobody,
        member_number=label_where("KH", card, card >= 0),
        order_id=label("R", receipts["receipt"]), store_id=store_ids(receipts["store"]),
    )  # fmt: skip


def _redeem(
    d: Delivery, persons: Ints, offers: Ints, *, discount: Ints, at: Ints, **columns: pa.Array
) -> None:
    redemption = label("CR", d.world.issue("redemption", len(persons)), 8)
    d.truth(CRM, "coupon_redemptions", redemption, persons)
    d.add(CRM, "coupon_redemptions", pa.table({
        "redemption_id": redemption, "offer_code": codes(d, offers), "discount": discount,
        "redeemed_at": moments(at), **columns,
    }))  # fmt: skip
