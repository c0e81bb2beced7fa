"""Rows of the three member lists: web accounts, store cards, the mailing list."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sandbox import names
from sandbox.accounts import MAIL_STATUS, TIERS, gives_email
from sandbox.canaries import CANARY_COUNT
from sandbox.delivery import EMAIL, SHOP, TILLS, Delivery
from sandbox.draw import Bools, Ints, label, moments, nulled, take
from sandbox.sizes import MAILING_LIST


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
        "gender": nulled(take(["nữ", "nam"], p["gender"]), _told(style, 11, 0.85)),
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
        "list_id": pa.repeat(MAILING_LIST, len(emails)),
        "email_address": addresses,
        "full_name": d.typed_name(person, d.world.p["web_style"][person]),
        "status": take(MAIL_STATUS, mail["status"]),
        "timestamp_opt": moments(mail["opted_at"], utc=True),
        "last_changed": moments(mail["changed_at"], utc=True),
        "tags": tags,
    }))  # fmt: skip
