"""Web accounts, store cards, consents, and the mailing list they lead to.

Consents are bits in the order of `CONSENTS`; the shop and the tills keep their own. A person who
unsubscribes at the e-mail platform is not told to the shop: the two disagree, as they do in life.
The last of them (`_FURTHER`) are drawn, numbered and withdrawn apart from the others.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sandbox.canaries import CANARY_COUNT
from sandbox.delivery import SHOP, TILLS, Delivery
from sandbox.draw import (
    DAY_SECONDS,
    Bools,
    Floats,
    Ints,
    chance,
    label,
    moments,
    take,
)

CONSENTS = [
    ("email", "marketing"), ("sms", "marketing"), ("zalo", "marketing"), ("phone", "marketing"),
    ("email", "service"), ("sms", "service"), ("zalo", "service"),
    ("sms", "survey"), ("ads", "advertising"), ("push", "marketing"),
]  # fmt: skip
_FURTHER = 7  # the first of those asked for besides
_AT_TILLS = 9  # push is allowed in the app, which knows accounts alone
# How likely each consent is, by generation (rows: gen Z, gen Y, gen X, boomer).
_WILLING = np.array([
    [0.66, 0.38, 0.62, 0.10, 0.93, 0.80, 0.88], [0.72, 0.46, 0.55, 0.18, 0.95, 0.86, 0.84],
    [0.60, 0.50, 0.40, 0.25, 0.93, 0.90, 0.70], [0.42, 0.45, 0.25, 0.30, 0.88, 0.92, 0.50],
])  # fmt: skip
_WILLING_FURTHER = np.array([
    [0.58, 0.52, 0.60], [0.62, 0.46, 0.48], [0.55, 0.34, 0.30], [0.50, 0.22, 0.12],
])  # fmt: skip
_KEPT = {SHOP: "web_consent", TILLS: "card_consent"}
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
    granted = _ask(rng, persons, p["generation"][persons], _WILLING)
    p["web_consent"][persons] = granted @ (1 << np.arange(_FURTHER))
    _deliver_consents(d, SHOP, persons, granted, at)
    _ask_further(d, SHOP, persons, at, stream)
    wants = granted[:, 0]
    _subscribe(d, p["account_email"][persons[wants]], persons[wants], at[wants], tag=1)


def issue_cards(d: Delivery, persons: Ints, at: Ints, stream: str) -> None:
    """Store cards for people without one."""
    p, rng = d.world.p, d.rng(f"cards-{stream}")
    p["card"][persons] = d.world.issue("card", len(persons))
    p["card_at"][persons] = p["card_changed_at"][persons] = at
    d.truth(TILLS, "customers", label("KH", p["card"][persons]), persons)
    granted = _ask(rng, persons, p["generation"][persons], _WILLING)
    granted[:, 0] &= gives_email(d, persons)
    p["card_consent"][persons] = granted @ (1 << np.arange(_FURTHER))
    _deliver_consents(d, TILLS, persons, granted, at)
    _ask_further(d, TILLS, persons, at, stream)
    wants = granted[:, 0]
    _subscribe(d, p["email1"][persons[wants]], persons[wants], at[wants], tag=2)


def gives_email(d: Delivery, persons: Ints) -> Bools:
    """Whether the person told the store an e-mail (fixed per card)."""
    return d.world.p["card_style"][persons] % 997 < 740


def _ask(rng: np.random.Generator, persons: Ints, generation: Ints, willing: Floats) -> np.ndarray:
    granted = rng.random((len(persons), willing.shape[1])) < willing[generation]
    granted[persons < CANARY_COUNT] = True
    return granted


def _ask_further(d: Delivery, source: str, persons: Ints, at: Ints, stream: str) -> None:
    """Surveys by text, advertising and, with an account, push: asked for on the same form."""
    p, rng = d.world.p, d.rng(f"further-consents-{source}-{stream}")
    asked = (len(CONSENTS) if source == SHOP else _AT_TILLS) - _FURTHER
    granted = _ask(rng, persons, p["generation"][persons], _WILLING_FURTHER[:, :asked])
    p[_KEPT[source]][persons] |= granted @ (1 << np.arange(_FURTHER, _FURTHER + asked))
    _deliver_consents(d, source, persons, granted, at, first=_FURTHER)


def _deliver_consents(
    d: Delivery, source: str, persons: Ints, granted: np.ndarray, at: Ints, *, first: int = 0
) -> None:
    """A matrix of answers, person x pair, to the pairs from `first` on."""
    count = granted.shape[1]
    repeated = np.repeat(np.arange(len(persons)), count)
    deliver_consents(
        d,
        source,
        persons=persons[repeated],
        pairs=first + np.tile(np.arange(count), len(persons)),
        granted=granted.ravel(),
        at=at[repeated],
    )


def deliver_consents(
    d: Delivery, source: str, *, persons: Ints, pairs: Ints, granted: Bools, at: Ints
) -> None:
    """Consent rows: person, index into CONSENTS (all further ones, or none), yes or no."""
    prefix, key, column = _NAMESPACE[source]
    text_version = np.where(at < d.world.starts(d.world.size.days // 2), "2025-09", "2026-05")
    form = "CS" if source == SHOP else "CT"
    if len(pairs) and pairs.min() >= _FURTHER:
        numbers = d.world.issue(f"{source}-further-consent", len(persons))
        form += "F"
    else:
        numbers = d.world.issue(f"{source}-consent", len(persons))
    consent_id = label(form, numbers, 8)
    d.truth(source, "consents", consent_id, persons)
    d.add(source, "consents", pa.table({
        "consent_id": consent_id,
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
    for source in (SHOP, TILLS):
        persons = _minded(d, source, rng, 0.0016)
        pair = rng.integers(0, _FURTHER, len(persons))
        pair = np.where(chance(rng, 0.5, len(persons)), 0, pair)
        had, at = _change(d, source, rng, persons, pair)
        told = had & (pair == 0) & chance(rng, 0.6, len(persons))
        mail = "account_email" if source == SHOP else "email1"
        leave_list(d, p[mail][persons[told]], at[told])
    _new_contacts(d, rng)
    rng = d.rng("life-further")
    for source, end in ((SHOP, len(CONSENTS)), (TILLS, _AT_TILLS)):
        persons = _minded(d, source, rng, 0.0006)
        _change(d, source, rng, persons, rng.integers(_FURTHER, end, len(persons)))


def _minded(d: Delivery, source: str, rng: np.random.Generator, share: float) -> Ints:
    """Account or card holders who change their mind today; canaries never do."""
    owner = d.world.p[_NAMESPACE[source][2]]
    persons = np.flatnonzero((owner >= 0) & chance(rng, share, len(d.world)))
    return persons[persons >= CANARY_COUNT]


def _change(
    d: Delivery, source: str, rng: np.random.Generator, persons: Ints, pair: Ints
) -> tuple[Bools, Ints]:
    """Each says the opposite of before: whether they had agreed, and when they say it."""
    kept = d.world.p[_KEPT[source]]
    had = (kept[persons] >> pair & 1).astype(bool)
    at = d.start + rng.integers(7 * 3_600, 22 * 3_600, len(persons))
    kept[persons] ^= 1 << pair
    deliver_consents(d, source, persons=persons, pairs=pair, granted=~had, at=at)
    return had, at


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
    p["account_changed_at"][changed] = d.start + rng.integers(8 * 3_600, 22 * 3_600, len(changed))


def opening(d: Delivery) -> None:
    """The accounts and cards that exist before the first simulated day."""
    p, rng = d.world.p, d.rng("opening")
    here = p["starts_on"] < 0
    canary = np.arange(len(d.world)) < CANARY_COUNT
    for rate, open_them in ((0.62, open_accounts), (0.46, issue_cards)):
        persons = np.flatnonzero(canary | (here & chance(rng, rate, len(d.world))))
        at = d.start - rng.integers(DAY_SECONDS, 400 * DAY_SECONDS, len(persons))
        open_them(d, persons, at, "opening")
