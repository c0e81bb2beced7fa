"""The generic model of a person: which attributes are compared, how closely, and how surely.

Each comparison has levels, best first; the last is everything else. `same` is the share of pairs
of one person at the level, `chance` the share of pairs of strangers: where to start, and what
holds where the data has too little to learn from.
"""

from typing import NamedTuple

from identity.matching.likeness import close, edits, either, in_turn, part, similar


class Level(NamedTuple):
    """A degree of agreement; `when` is SQL over the columns of both sides (`_l`, `_r`)."""

    evidence: str
    when: str
    same: float
    chance: float


class Comparison(NamedTuple):
    """An attribute and its levels. A pair without a value on both sides says nothing."""

    name: str
    column: str
    levels: tuple[Level, ...]


# The family name has moved: of the same family, the same words in another order are siblings'
# names in Viet Nam, where the given name is the last word and all may be drawn from one list.
SWAPPED = in_turn(
    "coalesce(family_l <> family_r, false)",
    either(
        "words_l = words_r",
        in_turn(
            "coalesce(jaro_winkler_similarity(given_l, family_r) >= 0.88, false)",
            "jaro_winkler_similarity(family_l, given_r) >= 0.88",
        ),
    ),
)
# Month and day are there for whole dates only, the year for every one.
_TWO_PARTS = (
    "(case when year_l = year_r then month_l = month_r or day_l = day_r"
    " or (month_l = day_r and day_l = month_r) else month_l = month_r and day_l = day_r end)"
)
_NUMBER = "email_number_l = email_number_r"
_EMAIL_EDITS = edits(
    "email",
    2,
    "case when email_domain_l = email_domain_r then email_local_{side} else email_{side} end",
)
_WHOLE = "day_l is not null and day_r is not null"

COMPARISONS = (
    Comparison("given", "given", (
        Level("given name equal", "given_l = given_r", 0.75, 0.008),
        Level("names swapped", SWAPPED, 0.03, 0.00005),
        Level("given name close", close("given", 0.9, 1), 0.1, 0.008),
        Level("given name in part", part("given"), 0.04, 0.015),
        Level("given name similar", similar("given", 0.78), 0.02, 0.02),
        Level("given name different", "", 0.06, 0.949),
    )),
    Comparison("family", "family", (
        Level("family name equal", either("family_l = family_r", SWAPPED), 0.8, 0.01),
        Level("family name close", close("family", 0.9, 1), 0.1, 0.006),
        Level("family name in part", part("family"), 0.02, 0.004),
        Level("family name similar", similar("family", 0.78),
              0.02, 0.02),
        Level("family name different", "", 0.06, 0.96),
    )),
    Comparison("birth", "birth", (
        Level("birth date equal", "birth_l = birth_r", 0.82, 0.0001),
        Level("birth date close", in_turn(_WHOLE, edits("birth", 1)),
              0.07, 0.002),
        Level("birth date in two parts", _TWO_PARTS, 0.03, 0.003),
        Level("birth date similar", in_turn(_WHOLE, edits("birth", 2)),
              0.02, 0.015),
        Level("birth year equal", "year_l = year_r", 0.01, 0.012),
        Level("birth date different", "", 0.05, 0.9679),
    )),
    Comparison("gender", "gender", (
        Level("gender equal", "gender_l = gender_r", 0.97, 0.5),
        Level("gender different", "", 0.03, 0.5),
    )),
    Comparison("national", "national", (
        Level("national id equal", "national_l = national_r", 0.85, 0.00001),
        Level("national id close", edits("national", 1),
              0.08, 0.00005),
        Level("national id similar", edits("national", 2),
              0.02, 0.0005),
        Level("national id different", "", 0.05, 0.99944),
    )),
    Comparison("email", "email", (
        Level("e-mail equal", "email_l = email_r", 0.7, 0.00002),
        Level("e-mail user equal", "email_user_l = email_user_r", 0.05, 0.0002),
        # Most addresses are made of the name: what tells namesakes apart is the number in them.
        Level("e-mail close", in_turn(_NUMBER, _EMAIL_EDITS), 0.1, 0.0001),
        Level("e-mail similar",
              either(in_turn(_NUMBER, similar("email", 0.9)), _EMAIL_EDITS), 0.03, 0.001),
        Level("e-mail different", "", 0.12, 0.99868),
    )),
    Comparison("phone", "phone", (
        Level("phone equal", "phone_l = phone_r", 0.75, 0.00003),
        Level("phone close", edits("phone", 1), 0.07, 0.00005),
        Level("phone similar", edits("phone", 2), 0.02, 0.0005),
        Level("phone different", "", 0.16, 0.99942),
    )),
    Comparison("address", "address", (
        Level("address equal", "address_l = address_r", 0.6, 0.00005),
        Level("address close", similar("address", 0.94), 0.12, 0.0003),
        Level("house number and street in part",
              "house_l = house_r and (jaro_winkler_similarity(street_l, street_r) >= 0.8)",
              0.06, 0.001),
        Level("street close", similar("street", 0.9), 0.05, 0.004),
        Level("house number equal", "house_l = house_r", 0.03, 0.02),
        Level("address different", "", 0.14, 0.97465),
    )),
    Comparison("postal", "postal", (
        Level("postal code equal", "postal_l = postal_r", 0.8, 0.003),
        Level("postal code close", edits("postal", 1), 0.07, 0.02),
        Level("postal code different", "", 0.13, 0.977),
    )),
    Comparison("city", "city", (
        Level("city equal", "city_l = city_r", 0.75, 0.05),
        Level("city close", close("city", 0.88, 2), 0.13, 0.02),
        Level("city different", "", 0.12, 0.93),
    )),
    Comparison("province", "province", (
        Level("province equal", "province_l = province_r", 0.9, 0.15),
        Level("province different", "", 0.1, 0.85),
    )),
)  # fmt: skip

# What two different persons may have in common, and how many such pairs to expect for each
# record before the data speaks. Without them people of one house would count as one person:
# their name, address and telephone agree for one reason, not for three.
HOME = frozenset({"family", "phone", "address", "postal", "city", "province"})


class Relation(NamedTuple):
    """Two persons who have the attributes `alike` in common.

    `expected` pairs for each record; `believed` says how firmly, against what the data seems to
    show: an error in one attribute looks the same as twins or as father and son.
    """

    name: str
    alike: frozenset[str]
    expected: float
    believed: float


RELATIONS = (
    Relation("neighbours", frozenset({"postal", "city", "province"}), 0.1, 0),
    Relation("household", HOME, 0.01, 0.2),
    Relation("household with one e-mail", HOME | {"email"}, 0.002, 0.2),
    Relation("twins", HOME | {"birth"}, 0.0005, 1),
    Relation("namesakes of a family", HOME | {"given"}, 0.0005, 1),
)
