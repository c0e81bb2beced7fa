"""Who lives in the simulated Viet Nam: names, households, contacts, devices, habits.

People are made in batches (all of a size at once, then each day's newcomers). Person `p` owns the
devices `stores + 2p` (mobile) and `stores + 2p + 1` (laptop) and the e-mails `3p .. 3p + 2`;
households share some of these, which is what makes identity hard.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sandbox import names
from sandbox.canaries import CANARY_COUNT, plant
from sandbox.draw import Ints, chance, pick, pick_by_row, stream, take

# Mobile prefixes in use (two digits after the 0), each with seven free digits.
PREFIXES = np.array([
    90, 91, 93, 94, 96, 97, 98, 86, 88, 89, 32, 33, 34, 35, 36, 37, 38, 39, 70, 76, 77, 78, 79,
    81, 82, 83, 84, 85, 56, 58,
])  # fmt: skip
LAST_BIRTH_YEAR = {"gen_z": (1997, 2009), "gen_y": (1981, 1996), "gen_x": (1965, 1980),
                   "boomer": (1948, 1964)}  # fmt: skip
# Weights per generation (rows: gen Z, gen Y, gen X, boomer).
OCCUPATION_WEIGHTS = [
    [45, 15, 5, 2, 8, 8, 8, 3, 2, 6, 1, 0],
    [1, 26, 12, 7, 10, 15, 8, 6, 5, 5, 6, 0],
    [0, 16, 8, 9, 14, 20, 6, 6, 8, 2, 12, 2],
    [0, 2, 2, 4, 4, 12, 2, 2, 2, 0, 20, 50],
]
INCOME_WEIGHTS = [[30, 40, 22, 6, 2], [4, 22, 40, 25, 9], [6, 25, 36, 22, 11], [20, 45, 22, 9, 4]]
MARITAL_WEIGHTS = [[90, 10, 0, 0], [28, 65, 7, 0], [7, 80, 11, 2], [3, 72, 8, 17]]
# What people look for (`names.VALUES`), per generation.
VALUE_WEIGHTS = [[40, 14, 30, 16], [24, 30, 28, 18], [10, 42, 30, 18], [5, 45, 32, 18]]
VISITS_PER_DAY = np.array([0.120, 0.089, 0.058, 0.026])
STORE_BUYS_PER_DAY = np.array([0.0128, 0.0213, 0.0213, 0.0149])
# How likely somebody is never to come again after a purchase: a beta distribution, most hardly.
FICKLE = 0.5, 8.0


@dataclass
class Batch:
    """People `first .. first + n - 1`: numbers by column, and their strings."""

    columns: dict[str, np.ndarray]
    strings: pa.Table
    emails: pa.Array


def make(
    seed: int,
    day: int,
    *,
    n: int,
    first: int,
    stores: int,
    paces: tuple[float, float],
    starts_on: Ints,
    store_provinces: Ints,
) -> Batch:
    """A batch of `n` people who appear on the days `starts_on` (negative: before the history).

    `paces` scale visits and buying in stores; `store_provinces` is the province of each store, so
    that everybody has a nearest one.
    """
    rng = stream(seed, day, "people")
    p: dict[str, np.ndarray] = {"starts_on": np.asarray(starts_on, np.int32)}
    ids = np.arange(first, first + n)
    head = _households(rng, n, p) + first
    p["household"] = head
    p["gender"] = rng.integers(0, 2, n).astype(np.int8)
    p["generation"] = pick(rng, [42, 38, 15, 5], n).astype(np.int8)
    p["birth_day"] = _birth_days(rng, p["generation"])
    p["occupation"] = pick_by_row(rng, OCCUPATION_WEIGHTS, p["generation"])
    p["income"] = pick_by_row(rng, INCOME_WEIGHTS, p["generation"])
    p["marital"] = pick_by_row(rng, MARITAL_WEIGHTS, p["generation"])
    _habits(rng, p, n, paces)
    # A stream of its own: tastes came later than everything else that is drawn here.
    p["value"] = pick_by_row(stream(seed, day, "values"), VALUE_WEIGHTS, p["generation"])
    p["fickle"] = stream(seed, day, "fickle").beta(*FICKLE, n)
    _places(rng, p, n, head - first, store_provinces)
    _contacts(rng, p, ids, head)
    _devices(rng, p, ids, head, stores)
    strings, emails = _strings(rng, p, ids, head - first)
    if first == 0:
        strings, emails = plant(p, strings, emails)
    return Batch(p, strings, emails)


def _households(rng: np.random.Generator, n: int, p: dict[str, np.ndarray]) -> Ints:
    """Index of each person's household head; members are neighbours in the batch."""
    sizes = pick(rng, [0, 42, 20, 9, 5], n)
    sizes[:CANARY_COUNT] = 1  # canaries live alone: whatever carries their data is theirs
    heads = np.repeat(np.cumsum(sizes) - sizes, sizes)[:n]
    p["is_shared_home"] = np.bincount(heads, minlength=n)[heads] > 1
    return heads


def _birth_days(rng: np.random.Generator, generation: np.ndarray) -> np.ndarray:
    """Birth dates as days since 1970."""
    spans = np.array([LAST_BIRTH_YEAR[g] for g in names.GENERATIONS])
    first = np.array([(date(a, 1, 1) - date(1970, 1, 1)).days for a, _ in spans])
    last = np.array([(date(b, 12, 31) - date(1970, 1, 1)).days for _, b in spans])
    share = rng.random(len(generation))
    return (first[generation] + share * (last - first)[generation]).astype(np.int32)


def _habits(
    rng: np.random.Generator, p: dict[str, np.ndarray], n: int, paces: tuple[float, float]
) -> None:
    gen = p["generation"]
    zeal = rng.gamma(2.0, 0.5, n)  # one person's appetite, the same online and in stores
    both = pick(rng, [24, 18, 58], n)  # prefers web, prefers stores, uses both
    web = np.array([1.35, 0.35, 1.0])[both]
    store = np.array([0.15, 1.5, 1.25])[both]
    p["visit_rate"] = (VISITS_PER_DAY[gen] * zeal * web * paces[0]).astype(np.float32)
    p["store_rate"] = (STORE_BUYS_PER_DAY[gen] * zeal * store * paces[1]).astype(np.float32)
    p["shoe_size"] = np.where(p["gender"] == 1, 41, 37).astype(np.int8) + rng.integers(
        -2, 4, n
    ).astype(np.int8)
    for style in ("web_style", "card_style"):
        p[style] = rng.integers(0, 2**31, n).astype(np.int64)


def _places(
    rng: np.random.Generator, p: dict[str, np.ndarray], n: int, head: Ints, stores: Ints
) -> None:
    places = names.provinces()
    province = pick(rng, [place.weight for place in places], n)[head]
    p["province"] = province.astype(np.int8)
    wards = np.array([len(place.wards) for place in places])
    p["ward"] = ((rng.random(n) * wards[province]).astype(np.int8))[head] % wards[province]
    p["house"] = rng.integers(1, 900, n)[head]
    p["street"] = rng.integers(0, len(names.STREETS), n)[head]
    # The store of the own province, else any: shoppers travel.
    own = stores[None, :] == np.arange(len(places))[:, None]
    weights = np.where(own.any(axis=1, keepdims=True), own, 1.0 / (1 + np.arange(len(stores))))
    p["store"] = pick_by_row(rng, weights, province).astype(np.int16)


def _contacts(rng: np.random.Generator, p: dict[str, np.ndarray], ids: Ints, head: Ints) -> None:
    n = len(ids)
    p["phone"] = _phone_numbers(2 * ids)
    p["phone2"] = np.where(chance(rng, 0.12, n), _phone_numbers(2 * ids + 1), p["phone"])
    relative = ids != head
    shares_phone = relative & chance(rng, 0.42, n)
    p["phone"] = np.where(shares_phone, _phone_numbers(2 * head), p["phone"])
    p["phone2"] = np.where(shares_phone, p["phone"], p["phone2"])
    p["email0"] = 3 * ids
    p["email1"] = np.where(chance(rng, 0.62, n), 3 * ids + 1, 3 * ids)
    p["email2"] = np.where(chance(rng, 0.15, n), 3 * ids + 2, p["email1"])
    borrows = relative & chance(rng, 0.68, n)  # gives a relative's address at the till or as guest
    p["email1"] = np.where(borrows, 3 * head, p["email1"])
    reuses = relative & chance(rng, 0.25, n)
    p["email2"] = np.where(reuses, 3 * head, p["email2"])


def _phone_numbers(slots: Ints) -> Ints:
    """Nine national digits, unique per slot (a fixed permutation of each prefix's block)."""
    line = (slots * 7_368_787 + 1_234_567) % 10_000_000
    return PREFIXES[slots % len(PREFIXES)] * 10_000_000 + line


def _devices(
    rng: np.random.Generator, p: dict[str, np.ndarray], ids: Ints, head: Ints, stores: int
) -> None:
    n = len(ids)
    own = stores + 2 * ids
    p["mobile"] = own
    p["laptop"] = np.where(chance(rng, 0.55, n), own + 1, own)
    relative = ids != head
    p["laptop"] = np.where(relative & chance(rng, 0.6, n), stores + 2 * head + 1, p["laptop"])
    p["laptop"] = np.where(~relative & p["is_shared_home"], own + 1, p["laptop"])
    p["borrowed"] = np.where(relative & chance(rng, 0.5, n), stores + 2 * head, own)


def _strings(
    rng: np.random.Generator, p: dict[str, np.ndarray], ids: Ints, head: Ints
) -> tuple[pa.Table, pa.Array]:
    n, male = len(ids), p["gender"] == 1
    family = pick(rng, list(names.FAMILY.values()), n)
    family = np.where(chance(rng, 0.7, n), family[head], family)

    def either(female: list[str], males: list[str]) -> np.ndarray:
        drawn = rng.integers(0, len(female), n), rng.integers(0, len(males), n) + len(female)
        return np.where(male, drawn[1], drawn[0])

    middle = either(names.MIDDLE_FEMALE, names.MIDDLE_MALE)
    given = either(names.GIVEN_FEMALE, names.GIVEN_MALE)
    lists = (
        list(names.FAMILY),
        names.MIDDLE_FEMALE + names.MIDDLE_MALE,
        names.GIVEN_FEMALE + names.GIVEN_MALE,
    )
    parts = [take(words, i) for words, i in zip(lists, (family, middle, given), strict=True)]
    plain = [
        take([names.ascii_form(w) for w in words], i)
        for words, i in zip(lists, (family, middle, given), strict=True)
    ]
    house = pc.cast(pa.array(p["house"]), pa.string())
    strings = pa.table({
        "full_name": pc.binary_join_element_wise(*parts, " "),
        "ascii_name": pc.binary_join_element_wise(*plain, " "),
        "address": pc.binary_join_element_wise(house, take(names.STREETS, p["street"]), " "),
    })  # fmt: skip
    return strings, _emails(rng, plain[0], plain[2], ids)


def _emails(rng: np.random.Generator, family: pa.Array, given: pa.Array, ids: Ints) -> pa.Array:
    """Three addresses per person, unique through a scrambled number."""
    n, each = len(ids), []
    stem = [pc.replace_substring(pc.utf8_lower(part), " ", "") for part in (family, given)]
    forms = (("", (1, 0)), (".", (1, 0)), ("_", (0, 1)))
    domains = list(names.MAIL_DOMAINS)
    for slot, (dot, order) in enumerate(forms):
        number = pc.cast(pa.array((3 * ids + slot) * 7_919 % 100_000_007), pa.string())
        domain = take(domains, pick(rng, list(names.MAIL_DOMAINS.values()), n))
        local = pc.binary_join_element_wise(stem[order[0]], stem[order[1]], dot)
        local = pc.binary_join_element_wise(local, number, "")
        each.append(pc.binary_join_element_wise(local, domain, "@"))
    interleaved = np.arange(3 * n) % 3 * n + np.arange(3 * n) // 3
    return pa.concat_arrays(each).take(pa.array(interleaved))
