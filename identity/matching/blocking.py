"""Which pairs of records are compared at all: wide, and bounded.

Every rule gives a record a key; records with equal keys are candidates. Rules are many, so that
no two errors hide a pair, and each has a budget: its largest blocks are left out until it keeps
to it, so that ten thousand records of one postal code cost nothing but being said.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from identity.components import Indices
from identity.matching.settings import MatchSettings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WIDE_SHARE = 4
SMALL = 300  # records: below, every pair is compared

# The sound of a name, roughly: its first letter, then consonants, one for those that are mistaken.
_SOUND = (
    "translate(substr(replace(replace(x, 'ph', 'f'), 'ck', 'k'), 2), 'cqzvdmaeiouyhw ', 'kksftn')"
)
for _letter in "fklnprst":
    _SOUND = f"replace({_SOUND}, '{_letter * 2}', '{_letter}')"
_MACROS = f"create macro sound(x) as left(x, 1) || {_SOUND}"
# Names are few, and their sounds dear.
_SOUNDED = """
with names as (
    select given as name from people
    union select family from people
    union select left(given, 3) from people
),
sounds as materialized (select name, sound(name) as sound from names),
sounded as materialized (
    select people.*, g.sound as given_sound, b.sound as begin_sound, f.sound as family_sound
    from people
    left join sounds as g on given = g.name
    left join sounds as b on left(given, 3) = b.name
    left join sounds as f on family = f.name
)
"""
_NAME_SOUND = "least(given_sound, family_sound), greatest(given_sound, family_sound)"
RULES = (
    ("national",),
    ("email",),
    ("email_user",),
    ("phone",),
    ("right(phone, 6)", "left(given, 1)"),
    ("words",),
    (_NAME_SOUND,),
    ("birth", "length(birth) = 8 or null"),
    ("given_sound", "birth[1:4]"),
    ("given_sound", "birth[5:8]"),
    ("family_sound", "birth[1:4]"),
    ("family_sound", "birth[5:8]"),
    # A swapped name and a birth date with an error.
    ("family_sound", "begin_sound"),
    ("given", "city"),
    ("address",),
    ("house", "postal"),
    ("house", "left(street, 4)"),
    ("street", "left(given, 2)"),
    ("postal", "left(family, 3)"),
    ("postal", "left(given, 3)"),
    ("left(national, 4)", "left(given, 1)"),
    ("right(national, 4)", "left(family, 1)"),
)
# For records of few columns; on large data their budget cuts them short.
WIDE = (
    ("left(email_user, 5)",),
    ("birth[1:6]",),
    ("birth[1:4]", "birth[7:8]"),
    ("birth[5:8]",),
    ("birth[1:4]", "left(city, 3)"),
    ("family", "city"),
    ("postal", "birth[1:4]"),
    ("given",),
    ("family",),
)


class Candidates(NamedTuple):
    """How many pairs are compared, and how many a rule's budget left out."""

    compared: int
    blocks_left_out: int
    pairs_left_out: int


def block(
    con: "DuckDBPyConnection", count: int, settings: MatchSettings
) -> tuple[Indices, Candidates]:
    """The candidates of the table `people`, each once and in order, and how many they are.

    A candidate is one number: the lower id of its records times 2^32, plus the other.
    """
    free = ", ".join("?" for _ in settings.duplicate_free)
    same = f"l.source_key = r.source_key and l.source_key in ({free})" if free else "false"
    values = sorted(settings.duplicate_free)
    select = "select l.id::bigint << 32 | r.id as pair from"
    if count <= SMALL:
        every = f"{select} people as l join people as r on l.id < r.id where not ({same})"
        pairs = np.sort(con.execute(every, values).fetchnumpy()["pair"])
        return pairs, Candidates(len(pairs), 0, 0)
    _make_blocks(con)
    budget = (
        f"(case when rule < {len(RULES)} then {settings.pairs_per_record} "
        f"else {settings.pairs_per_record / WIDE_SHARE} end) * {count}"
    )
    pairs = con.execute(
        f"{select} keys as l "
        f"join (from blocks where running <= {budget}) as b on l.rule = b.rule and l.key = b.key "
        "join keys as r on r.rule = b.rule and r.key = b.key and l.id < r.id "
        f"where not ({same})",
        values,
    ).fetchnumpy()["pair"]
    # Many rules bring the same pair. Splink's joins are quicker, too, on pairs in order.
    pairs.sort()
    is_first = np.ones(len(pairs), dtype=np.bool_)
    np.not_equal(pairs[1:], pairs[:-1], out=is_first[1:])
    pairs = pairs[is_first]
    left_out = con.execute(
        f"select count(*), coalesce(sum(pairs), 0)::bigint from blocks where running > {budget}"
    ).fetchone()
    con.execute("drop table keys")
    con.execute("drop table blocks")
    return pairs, Candidates(len(pairs), *(left_out or (0, 0)))


def _make_blocks(con: "DuckDBPyConnection") -> None:
    """Make the tables `keys` and `blocks`; `running` adds up a rule's pairs, small blocks first."""
    con.execute(_MACROS)
    # A rule whose parts are not all there gives no key.
    keys = " union all ".join(
        f"select {number}::utinyint as rule, hash({', '.join(rule)}) as key, id, source_key from "
        f"sounded where {' and '.join(f'({part}) is not null' for part in _parts(rule))}"
        for number, rule in enumerate(RULES + WIDE)
    )
    con.execute(f"create table keys as {_SOUNDED} {keys}")
    con.execute(
        "create table blocks as select rule, key, records * (records - 1) // 2 as pairs, "
        "sum(pairs) over (partition by rule order by pairs, key) as running "
        "from (select rule, key, count(*) as records from keys group by all having records > 1)"
    )


def _parts(rule: tuple[str, ...]) -> tuple[str, ...]:
    return ("given", "family") if rule == (_NAME_SOUND,) else rule
