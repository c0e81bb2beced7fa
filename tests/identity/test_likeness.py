"""Likeness asks the cheap questions first; the answers are those of the plain definitions."""

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.matching.likeness import close, edits, part
from identity.matching.person import COMPARISONS, SWAPPED

WORDS = st.text("aab 1é", max_size=9)
JARO, WINKLER = "jaro_similarity(x_l, x_r)", "jaro_winkler_similarity(x_l, x_r)"
FEW = "abs(strlen(x_l) - strlen(x_r)) <= {0} and damerau_levenshtein(x_l, x_r) <= {0}"
ONE, TWO = f"{JARO} >= 0.85 and {FEW.format(1)}", f"{JARO} >= 0.75 and {FEW.format(2)}"
PLAIN = {
    edits("x", 1): ONE,
    edits("x", 2): TWO,
    edits("x", 2, "case when end_l = end_r then begin_{side} else x_{side} end"): TWO,
    close("x", 0.9, 1): f"{WINKLER} >= 0.9 or ({ONE})",
    close("x", 0.88, 2): f"{WINKLER} >= 0.88 or ({TWO})",
    part("x"): "starts_with(x_l, x_r) or starts_with(x_r, x_l)"
    " or ends_with(x_l, ' ' || x_r) or ends_with(x_r, ' ' || x_l)",
}


def differing(pairs: pa.Table, quick: str, plain: str) -> list[tuple[str, ...]]:
    """The rows on which the two conditions do not hold alike."""
    with duckdb.connect() as con:
        con.register("pairs", pairs)
        condition = f"coalesce({quick}, false) <> coalesce({plain}, false)"
        return con.execute(f"from pairs where {condition}").fetchall()


@pytest.mark.parametrize("quick", PLAIN)
@given(words=st.lists(st.tuples(WORDS, st.sampled_from(["", "@b.a", "@a"])), max_size=30))
def test_a_quick_answer_is_the_plain_one(quick: str, words: list[tuple[str, str]]) -> None:
    sides = {
        side: [(begin + end, begin, end) for begin, end in order]
        for side, order in (("l", [a for a in words for _ in words]), ("r", words * len(words)))
    }
    columns = {
        f"{name}_{side}": pa.array([row[at] for row in rows], pa.string())
        for side, rows in sides.items()
        for at, name in enumerate(("x", "begin", "end"))
    }
    assert differing(pa.table(columns), quick, PLAIN[quick]) == []


NAMES = st.one_of(
    st.none(), st.sampled_from(["lan", "lam", "le", "le thi", "thi le", "le thi lan"])
)


@given(rows=st.lists(st.tuples(NAMES, NAMES, NAMES, NAMES), max_size=30))
def test_swapped_names_are_the_same_words_or_alike_crosswise(
    rows: list[tuple[str | None, ...]],
) -> None:
    names = ("given_l", "family_l", "given_r", "family_r")
    columns = {n: pa.array([r[at] for r in rows], pa.string()) for at, n in enumerate(names)}
    for at, side in ((0, "l"), (2, "r")):
        words = [" ".join(sorted(f"{r[at + 1] or ''} {r[at] or ''}".split())) for r in rows]
        columns[f"words_{side}"] = pa.array(words, pa.string())
    plain = (
        "family_l <> family_r and (words_l = words_r"
        " or (jaro_winkler_similarity(given_l, family_r) >= 0.88"
        " and jaro_winkler_similarity(family_l, given_r) >= 0.88))"
    )
    assert differing(pa.table(columns), SWAPPED, plain) == []


DATES = st.sampled_from(["1990", "19900102", "19900201", "19900203", "19910102", "19910201", None])


@given(rows=st.lists(st.tuples(DATES, DATES), max_size=30))
def test_dates_agree_in_two_parts_or_with_day_and_month_swapped(
    rows: list[tuple[str | None, str | None]],
) -> None:
    columns = {}
    for at, side in enumerate("lr"):
        dates = [row[at] or "" for row in rows]
        whole = [date if len(date) == 8 else "" for date in dates]
        for name, parts in (
            ("birth", dates),
            ("year", [date[:4] for date in dates]),
            ("month", [date[4:6] for date in whole]),
            ("day", [date[6:] for date in whole]),
        ):
            columns[f"{name}_{side}"] = pa.array([part or None for part in parts], pa.string())
    level = next(c for c in COMPARISONS if c.name == "birth").levels[2]
    assert level.evidence == "birth date in two parts"
    plain = (
        "length(birth_l) = 8 and length(birth_r) = 8 and ((birth_l[1:4] = birth_r[1:4])::int"
        " + (birth_l[5:6] = birth_r[5:6])::int + (birth_l[7:8] = birth_r[7:8])::int >= 2"
        " or (birth_l[1:4] = birth_r[1:4] and birth_l[5:6] = birth_r[7:8]"
        " and birth_l[7:8] = birth_r[5:6]))"
    )
    assert differing(pa.table(columns), level.when, plain) == []


def test_the_levels_of_all_comparisons_fit_into_one_number() -> None:
    # Octal digits, 0 for a missing value, in the 53 bits of a weight.
    assert max(len(c.levels) for c in COMPARISONS) < 8
    assert 3 * len(COMPARISONS) < 50
