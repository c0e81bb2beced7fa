"""Web accounts, store cards, consents, and the mailing list they lead to.

Consents are bits in the order of `CONSENTS`; the shop and the tills keep their own. A person who
unsubscribes at the e-mail platform is not told to the shop: the two disagree, as they do in life.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sandbox import names
from sandbox.canaries import CANARY_COUNT
from sandbox.delivery import EMAIL, SHOP, TILLS, Delivery
from sandbox.draw import (
    DAY_SECONDS,
    Bools,
    Ints,
    chance,
    label,
    moments,
    nulled,
    take,
)

CONSENTS = [
    ("email", "marketing"), ("sms", "marketing"), ("zalo", "marketing"), ("phone", "marketing"),
    ("email", "service"), ("sms", "service"), ("zalo", "service"),
]  # fmt: skip
EMAIL_MARKETING = 1
# How likely each consent is, by generation (rows: gen Z, gen Y, gen X, boomer).
_WILLING = np.array([
    [0.66, 0.38, 0.62, 0.10, 0.93, 0.80, 0.88], [0.72, 0.46, 0.55, 0.18, 0.95, 0.86, 0.84],
    [0.60, 0.50, 0.40, 0.25, 0.93, 0.90, 0.70], [0.42, 0.45, 0.25, 0.30, 0.88, 0.92, 0.50],
])  # fmt: skip
_NAMESPACE = {SHOP: ("U", "user_id", "account"), TILLS: ("KH", "member_number", "card")}
TIERS = ["member", "silver", "gold"]
SUBSCRIBED, UNSUBSCRIBED, CLEANED = 1, 2, 3
MAIL_STATUS = ["", "subscribed", "unsubscribed", "cleaned"]


def open_accounts(d: Delivery, persons: Ints, at: Ints, stream: str) -> None:
    """Web accounts for people without one, opened at local seconds `at`."""
    p, rng = d.world.p, d.rng(f"accounts-{stream}")
    p["account"][persons] = d.world.issue("account", len(persons))
    p["account_at"][persons] = p["account_changed_at"][persons] = at
    second = chance(rng, 0.08, len(persons))
    p["account_email"][persons] = np.where(second, p["email1"][persons], p["email0"][persons])
    d.truth(SHOP, "customers", label("U", p["account"][persons]), persons)
    granted = _ask(rng, p["generation"][persons], persons)
    p["web_consent"][persons] = granted @ (1 << np.arange(len(CONSENTS)))
    _deliver_consents(d, SHOP, persons, granted, at)
    wants = granted[:, 0]
    _subscribe(d, p["account_email"][persons[wants]], persons[wants], at[wants], tag=1)


def issue_cards(d: Delivery, persons: Ints, at: Ints, stream: str) -> None:
    """Store cards for people without one."""
    p, rng = d.world.p, d.rng(f"cards-{stream}")
    p["card"][persons] = d.world.issue("card", len(persons))
    p["card_at"][persons] = p["card_changed_at"][persons] = at
    d.truth(TILLS, "customers", label("KH", p["card"][persons]), persons)
    granted = _ask(rng, p["generation"][persons], persons)
    granted[:, 0] &= gives_email(d, persons)
    p["card_consent"][persons] = granted @ (1 << np.arange(len(CONSENTS)))
    _deliver_consents(d, TILLS, persons, granted, at)
    wants = granted[:, 0]
    _subscribe(d, p["email1"][persons[wants]], persons[wants], at[wants], tag=2)


def gives_email(d: Delivery, persons: Ints) -> Bools:
    """Whether the person told the store an e-mail (fixed per card)."""
    return d.world.p["card_style"][persons] % 997 < 640


def _ask(rng: np.random.Generator, generation: np.ndarray, persons: Ints) -> np.ndarray:
    granted = rng.random((len(persons), len(CONSENTS))) < _WILLING[generation]
    granted[persons < CANARY_COUNT] = True
    return granted


def _deliver_consents(
    d: Delivery, source: str, persons: Ints, granted: np.ndarray, at: Ints
) -> None:
    pairs = np.tile(np.arange(len(CONSENTS)), len(persons))
    repeated = np.repeat(np.arange(len(persons)), len(CONSENTS))
    deliver_consents(d, source, persons[repeated], pairs, granted.ravel(), at[repeated])


def deliver_consents(
    d: Delivery, source: str, persons: Ints, pairs: Ints, granted: Bools, at: Ints
) -> None:
    """Consent rows: person, index into CONSENTS, yes or no."""
    prefix, key, column = _NAMESPACE[source]
    text_version = np.where(at < d.world.starts(d.world.size.days // 2), "2025-09", "2026-05")
    d.add(source, "consents", pa.table({
        "consent_id": label("CS" if source == SHOP else "CT", d.world.issue(f"{source}-consent",
                                                                           len(persons)), 8),
        key: label(prefix, d.world.p[column][persons]),
        "channel": take([channel for channel, _ in CONSENTS], pairs),
        "purpose": take([purpose for _, purpose in CONSENTS], pairs),
        "granted": pa.array(granted),
        "occurred_at": moments(at, utc=source == TILLS),
        "text_version": pa.array(text_version),
    }))  # fmt: skip


def _subscribe(d: Delivery, emails: Ints, persons: Ints, at: Ints, tag: int) -> None:
    mail = d.world.mail
    emails, first = np.unique(emails, return_index=True)
    new = mail["status"][emails] == 0
    emails, first = emails[new], first[new]
    mail["status"][emails] = SUBSCRIBED
    mail["person"][emails] = persons[first]
    mail["opted_at"][emails] = mail["changed_at"][emails] = at[first]
    mail["tag"][emails] = tag


def leave_list(d: Delivery, emails: Ints, at: Ints, status: int = UNSUBSCRIBED) -> None:
    """These addresses are no longer mailed (unsubscribed, or cleaned after a hard bounce)."""
    on_list = d.world.mail["status"][emails] == SUBSCRIBED
    d.world.mail["status"][emails[on_list]] = status
    d.world.mail["changed_at"][emails[on_list]] = at[on_list]


def life_changes(d: Delivery) -> None:
    """Withdrawals, renewed consents, and profiles that people change, on an ordinary day."""
    p, rng = d.world.p, d.rng("life")
    n = len(d.world)
    for source, column in ((SHOP, "web"), (TILLS, "card")):
        owner = p["account" if source == SHOP else "card"]
        persons = np.flatnonzero((owner >= 0) & chance(rng, 0.0016, n))
        persons = persons[persons >= CANARY_COUNT]
        pair = rng.integers(0, len(CONSENTS), len(persons))
        pair = np.where(chance(rng, 0.5, len(persons)), 0, pair)
        had = (p[f"{column}_consent"][persons] >> pair & 1).astype(bool)
        at = d.start + rng.integers(7 * 3_600, 22 * 3_600, len(persons))
        p[f"{column}_consent"][persons] ^= 1 << pair
        deliver_consents(d, source, persons, pair, ~had, at)
        told = had & (pair == 0) & chance(rng, 0.6, len(persons))
        mail = "account_email" if source == SHOP else "email1"
        leave_list(d, p[mail][persons[told]], at[told])
    _new_contacts(d, rng)


def _new_contacts(d: Delivery, rng: np.random.Generator) -> None:
    """Some accounts get their owner's other e-mail; some people move within their province."""
    p = d.world.p
    other = (p["account"] >= 0) & (p["account_email"] != p["email1"])
    changing = np.flatnonzero(other & chance(rng, 0.0020, len(d.world)))
    changing = changing[changing >= CANARY_COUNT]
    p["account_email"][changing] = p["email1"][changing]
    moving = np.flatnonzero((p["account"] >= 0) & chance(rng, 0.0006, len(d.world)))
    p["ward"][moving] = 0
    changed = np.union1d(changing, moving)
    p["account_changed_at"][changed] = d.start + rng.integers(
        8 * 3_600, 22 * 3_600, len(changed)
    )


def opening(d: Delivery) -> None:
    """The accounts and cards that exist before the first simulated day."""
    p, rng = d.world.p, d.rng("opening")
    here = p["starts_on"] < 0
    canary = np.arange(len(d.world)) < CANARY_COUNT
    for rate, open_them in ((0.62, open_accounts), (0.46, issue_cards)):
        persons = np.flatnonzero(canary | (here & chance(rng, rate, len(d.world))))
        at = d.start - rng.integers(DAY_SECONDS, 400 * DAY_SECONDS, len(persons))
        open_them(d, persons, at, "opening")


def deliver_members(d: Delivery) -> None:
    """The day's new and changed rows of the three member lists (all of them on the first day)."""
    since = d.start if d.day else 0
    p, mail = d.world.p, d.world.mail
    _shop_members(d, np.flatnonzero((p["account"] >= 0) & (p["account_changed_at"] >= since)))
    _till_members(d, np.flatnonzero((p["card"] >= 0) & (p["card_changed_at"] >= since)))
    _mail_members(d, np.flatnonzero((mail["status"] > 0) & (mail["changed_at"] >= since)))


def _told(style: np.ndarray, salt: int, share: float) -> Bools:
    """Which optional fields a person filled in: fixed per style, so that rewrites agree."""
    return style // salt % 1_009 < share * 1_009


def _places(d: Delivery, persons: Ints) -> tuple[pa.Array, pa.Array]:
    p = d.world.p
    places = names.provinces()
    province = p["province"][persons].astype(np.int64)
    offsets = np.cumsum([0] + [len(place.wards) for place in places])
    wards = [ward for place in places for ward in place.wards]
    return (
        take([place.name for place in places], province),
        take(wards, offsets[province] + p["ward"][persons]),
    )


def _birth_dates(d: Delivery, persons: Ints) -> pa.Array:
    return pa.array(d.world.p["birth_day"][persons], pa.int32()).cast(pa.date32())


def _shop_members(d: Delivery, persons: Ints) -> None:
    p = {name: column[persons] for name, column in d.world.p.items()}
    style = p["web_style"]
    canary = persons < CANARY_COUNT
    province, ward = _places(d, persons)
    d.add(SHOP, "members", pa.table({
        "user_id": label("U", p["account"]),
        "email": d.typed_email(p["account_email"], style),
        "phone": nulled(d.typed_phone(p["phone"], style), _told(style, 3, 0.88) | canary),
        "full_name": d.typed_name(persons, style),
        "birth_date": nulled(_birth_dates(d, persons), _told(style, 7, 0.72)),
        "gender": nulled(take(["nữ", "nam"], p["gender"]), _told(style, 11, 0.8)),
        "marital_status": nulled(take(names.MARITAL, p["marital"]), _told(style, 13, 0.55)),
        "occupation": nulled(take(names.OCCUPATIONS, p["occupation"]), _told(style, 17, 0.6)),
        "income_band": nulled(take(names.INCOME_BANDS, p["income"]), _told(style, 19, 0.5)),
        "province": nulled(province, _told(style, 23, 0.9)),
        "ward": nulled(ward, _told(style, 23, 0.9)),
        "address": nulled(take(d.world.names["address"], persons), _told(style, 29, 0.7)),
        "shoe_size": nulled(pa.array(p["shoe_size"]), _told(style, 31, 0.6)),
        "created_at": moments(p["account_at"]),
        "updated_at": moments(p["account_changed_at"]),
    }))  # fmt: skip


def _till_members(d: Delivery, persons: Ints) -> None:
    p = {name: column[persons] for name, column in d.world.p.items()}
    style = p["card_style"]
    phone = np.where(_told(style, 5, 0.85), p["phone"], p["phone2"])
    province, ward = _places(d, persons)
    d.add(TILLS, "members", pa.table({
        "member_number": label("KH", p["card"]),
        "full_name": d.typed_name(persons, style),
        "phone": d.typed_phone(phone, style),
        "email": nulled(d.typed_email(p["email1"], style), gives_email(d, persons)),
        "birth_date": nulled(_birth_dates(d, persons), _told(style, 7, 0.6)),
        "gender": nulled(take(["F", "M"], p["gender"]), _told(style, 11, 0.85)),
        "province": province,
        "ward": nulled(ward, _told(style, 23, 0.6)),
        "tier": take(TIERS, p["tier"]),
        "store_id": label("CH", p["store"].astype(np.int64) + 1, 3),
        "enrolled_at": moments(p["card_at"], utc=True),
        "updated_at": moments(p["card_changed_at"], utc=True),
    }))  # fmt: skip


def _mail_members(d: Delivery, emails: Ints) -> None:
    mail = {name: column[emails] for name, column in d.world.mail.items()}
    person = mail["person"]
    addresses = pc.utf8_lower(take(d.world.emails, emails))
    tags = pa.ListArray.from_arrays(
        pa.array(np.arange(len(emails) + 1), pa.int32()), take(["", "web", "store"], mail["tag"])
    )
    new = d.day == 0 or mail["opted_at"] >= d.start
    new = np.broadcast_to(new, len(emails))
    d.truth(EMAIL, "customers", addresses.filter(pa.array(new)), person[new])
    d.add(EMAIL, "members", pa.table({
        "list_id": pa.repeat("khach00001", len(emails)),
        "email_address": addresses,
        "full_name": d.typed_name(person, d.world.p["web_style"][person]),
        "status": take(MAIL_STATUS, mail["status"]),
        "timestamp_opt": moments(mail["opted_at"], utc=True),
        "last_changed": moments(mail["changed_at"], utc=True),
        "tags": tags,
    }))  # fmt: skip
