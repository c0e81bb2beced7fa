"""The club of card holders, as the CRM keeps it, and members who bring friends."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sandbox.accounts import TIERS
from sandbox.canaries import CANARY_COUNT
from sandbox.delivery import CRM, Delivery
from sandbox.draw import (
    DAY_SECONDS,
    chance,
    label,
    label_where,
    moments,
    nulled,
    pick,
    take,
)
from sandbox.frames import Frame, rows

PROGRAMME = "Sải Club"
_LEAVES_PER_DAY = 0.0002
_REFERRED, _FRIEND_BUYS = 0.16, 0.35
_BRINGS_FRIENDS = np.array([2, 1, 1, 5])  # weights by value


def run(d: Delivery, v: Frame) -> None:
    """Members new, changed or gone today; friends who signed up because of a member."""
    p, rng = d.world.p, d.rng("loyalty")
    leaves = (p["card"] >= 0) & (p["left_at"] == 0) & chance(rng, _LEAVES_PER_DAY, len(d.world))
    leaves[:CANARY_COUNT] = False
    gone = np.flatnonzero(leaves & (p["card_at"] < d.start))
    p["left_at"][gone] = d.start + rng.integers(9 * 3_600, 21 * 3_600, len(gone))
    _enrolments(d)
    _referrals(d, v, rng)


def _enrolments(d: Delivery) -> None:
    """As the tills have it: the same members, tiers and days."""
    p = d.world.p
    since = d.start if d.day else 0
    changed = np.maximum(p["card_changed_at"], p["left_at"])
    persons = np.flatnonzero((p["card"] >= 0) & (changed >= since))
    card, left = p["card"][persons], p["left_at"][persons]
    enrolment = label("TV", card)
    new = (p["card_at"][persons] >= d.start) | (d.day == 0)
    d.truth(CRM, "loyalty_enrolments", enrolment.filter(pa.array(new)), persons[new])
    d.add(CRM, "loyalty_enrolments", pa.table({
        "enrolment_id": enrolment, "member_number": label("KH", card),
        "programme": pa.repeat(PROGRAMME, len(persons)), "tier": take(TIERS, p["tier"][persons]),
        "enrolled_at": moments(p["card_at"][persons]), "left_at": moments(left, known=left > 0),
        "updated_at": moments(changed[persons]),
    }))  # fmt: skip


def _referrals(d: Delivery, v: Frame, rng: np.random.Generator) -> None:
    p = d.world.p
    signed = np.flatnonzero((v["signup"] == 1) & chance(rng, _REFERRED, rows(v)))
    friend, at = v["person"][signed], v["at"][signed] + 420
    n = len(signed)
    known = np.flatnonzero((p["account"] >= 0) & (p["account_at"] < d.start))
    if not n or not len(known):
        return
    referrer = known[pick(rng, _BRINGS_FRIENDS[p["value"][known]], n)]
    style, by = d.styles(rng, friend), rng.integers(0, 10, n)
    # The friend's account, or what the member typed into the form about the friend.
    by_form = by < 4
    card = p["card"][referrer]
    by_card = (card >= 0) & (by % 2 == 0)
    by_phone = ~by_card & (by == 9)
    referral = label("GT", d.world.issue("referral", n))
    d.truth(CRM, "referrals", referral, friend)
    d.truth(CRM, "referrers", referral, referrer)
    d.add(CRM, "referrals", pa.table({
        "referral_id": referral,
        "user_id": label_where("U", p["account"][friend], ~by_form),
        "email": d.typed_email(np.where(by_form & (by == 3), p["email0"][friend], -1), style),
        "phone": d.typed_phone(np.where(by_form, p["phone"][friend], -1), style),
        "full_name": nulled(d.typed_name(friend, style), by_form),
        "referrer_user_id": label_where("U", p["account"][referrer], ~by_card & ~by_phone),
        "referrer_member_number": label_where("KH", card, by_card),
        "referrer_phone": d.typed_phone(np.where(by_phone, p["phone"][referrer], -1),
                                        d.styles(rng, referrer)),
        "referral_code": pc.binary_join_element_wise("BAN", label("", referrer % 9_973, 4), ""),
        "referred_at": moments(at),
    }))  # fmt: skip
    buys = chance(rng, _FRIEND_BUYS, n) & (v["order"][signed] == 0)
    later = at[buys] + rng.integers(1, 10, int(buys.sum())) * DAY_SECONDS
    d.cause("referral", friend[buys], later, in_store=np.zeros(len(later), bool))
