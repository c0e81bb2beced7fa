"""Matching: people, not houses; the same answer for any order; what the public sets say."""

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.matching import BARS, accuracy, public
from benchmarks.persons import Maker
from identity.matching import MatchSettings, match
from identity.matching.cluster import cluster

KEYS = ["record_key", "source_key"]


@pytest.mark.samples
@pytest.mark.parametrize(
    "name",
    [
        "febrl1 without national id",
        "splink_fake_1000",
        *(pytest.param(n, marks=pytest.mark.nightly) for n in ("febrl1", "febrl2")),
        pytest.param("febrl2 without national id", marks=pytest.mark.nightly),
    ],
)
def test_the_public_sets_are_matched_as_well_as_promised(name: str, samples: Path) -> None:
    records, truth = next((r, t) for n, r, t in public(samples) if n == name)
    got = accuracy(records, truth, match(records))
    assert got.f1 >= BARS[name].f1
    assert got.precision >= BARS[name].precision


def families(houses: int) -> Maker:
    """Houses of three, some with twins or with father and son of one name."""
    maker = Maker(3)
    for house in range(houses):
        for person in maker.family(3, twins=house % 10 == 0, namesake=house % 10 == 1):
            for _ in range(1 + (maker.random.random() < 0.3)):
                maker.record(person)
    return maker


def test_a_house_is_not_a_person() -> None:
    records, truth = families(120).tables()
    got = accuracy(records, truth, match(records))
    assert got.precision >= 0.95
    assert got.recall >= 0.95


def test_a_house_without_a_person_twice_yields_no_link() -> None:
    maker = Maker(4)
    for house in range(120):
        for person in maker.family(3, twins=house % 20 == 0, namesake=house % 20 == 1):
            maker.record(person, clean=True)
    assert not len(match(maker.tables()[0]).links)


def test_neither_the_order_of_rows_nor_their_numbering_matters() -> None:
    records, _ = families(60).tables()
    few = MatchSettings(sample_pairs=2_000)  # not all pairs: which are drawn must not matter
    first = match(records, few)
    order = list(range(len(records)))
    random.Random(1).shuffle(order)
    assert match(records.take(order), few) == first
    names = pc.binary_join_element_wise("x", pc.utf8_reverse(records["record_key"]), "-")
    renamed = match(records.set_column(0, "record_key", names), few)
    back = dict(zip(names.to_pylist(), records["record_key"].to_pylist(), strict=True))
    for found, other in zip(first[:2], renamed[:2], strict=True):
        assert {
            (*sorted((back[row["left_key"]], back[row["right_key"]])), row["probability"])
            for row in other.to_pylist()
        } == {(r["left_key"], r["right_key"], r["probability"]) for r in found.to_pylist()}


def test_neither_the_size_of_a_part_nor_the_threads_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records, _ = families(200).tables()
    whole = match(records)
    assert whole.candidates.compared > 2000
    monkeypatch.setattr("identity.matching.compare.PART", 1000)
    for threads in (1, 2):
        assert match(records, MatchSettings(threads=threads)) == whole


def test_a_source_free_of_duplicates_gives_each_person_one_record() -> None:
    maker = Maker(5)
    for _ in range(200):
        person = maker.person()
        for source in "aab":
            maker.record(person, source)
    records, _ = maker.tables()
    source = dict(zip(*(records[key].to_pylist() for key in KEYS), strict=True))
    found = match(records, MatchSettings(duplicate_free=frozenset({"a", "b"})))
    ends = [(row["left_key"], row["right_key"]) for row in found.links.to_pylist()]
    assert len(ends) > 150
    assert all(source[left] != source[right] for left, right in ends)
    linked = [key for pair in ends for key in pair]
    assert len(linked) == len(set(linked))


def test_records_of_few_columns_still_find_each_other() -> None:
    maker = Maker(6)
    for _ in range(400):
        person = maker.person()
        for _ in range(maker.random.choice((1, 1, 2))):
            maker.record(person)
    for columns in (["full_name", "birth_date_text"], ["full_name", "email"]):
        records, truth = maker.tables(columns)
        got = accuracy(records, truth, match(records))
        assert got.precision >= 0.85, columns
        assert got.recall >= 0.65, columns


def test_the_largest_blocks_are_left_out_and_counted() -> None:
    maker = Maker(7)
    for _ in range(800):
        maker.record(maker.person(city="Huế", given_name="Lan", family_name="Lê"))
    records, _ = maker.tables(["full_name", "city", "phone"])
    found = match(records)
    assert found.candidates.blocks_left_out > 0
    assert found.candidates.compared + found.candidates.pairs_left_out > 300_000
    assert found.candidates.compared < 20_000


def test_records_with_nothing_in_common_are_not_compared() -> None:
    emails = [f"{chr(97 + n % 26)}{chr(97 + n // 26)}{n:04}@example.com" for n in range(400)]
    keys = pa.array([str(n) for n in range(400)])
    found = match(pa.table({"record_key": keys, "source_key": keys, "email": emails}))
    assert not found.candidates.compared
    assert not len(found.links) + len(found.reviews)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_handful_of_records_needs_no_training(count: int) -> None:
    maker = Maker(8)
    person = maker.person()
    for _ in range(count):
        maker.record(person, clean=True)
    records, _ = maker.tables()
    found = match(records)
    assert len(found.links) == max(count - 1, 0)
    assert not len(found.reviews)


def test_the_answer_tells_no_personal_data_and_nulls_link_nobody() -> None:
    maker = Maker(9)
    person = maker.person(given_name="Zacharias")
    for _ in range(2):
        maker.record(person, clean=True)
    for _ in range(5):
        maker.record({"entity": 0, "given_name": None, "family_name": None}, clean=True)
    found = match(maker.tables()[0])
    assert len(found.links) == 1
    assert "given name equal" in found.links["evidence"][0].as_py()
    assert "zacharias" not in str(found).lower()


def test_wrong_keys_and_settings_are_named() -> None:
    twice = pa.table({"record_key": ["a", "a"], "source_key": ["s", "s"]})
    with pytest.raises(ValueError, match="record_key"):
        match(twice)
    with pytest.raises(ValueError, match="shoe_size"):
        MatchSettings(left_out=frozenset({"shoe_size"}))
    with pytest.raises(ValueError, match="review_threshold"):
        MatchSettings(link_threshold=0.1, review_threshold=0.2)


PAIRS = st.dictionaries(
    st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda p: p[0] < p[1]),
    st.floats(-8, 8),
    max_size=20,
)


@given(pairs=PAIRS, sources=st.lists(st.integers(-1, 1), min_size=10, max_size=10))
def test_clusters_hold_what_their_links_carry(
    pairs: dict[tuple[int, int], float], sources: list[int]
) -> None:
    import numpy as np

    ends = np.array(list(pairs), dtype=np.int64).reshape(-1, 2)
    strength, single = np.array(list(pairs.values()), dtype=float), np.array(sources)
    labels, chosen = cluster(10, ends[:, 0], ends[:, 1], strength, single)
    assert (strength[chosen] > 0).all()
    assert len(chosen) == 10 - len(set(labels))
    for name in set(labels):
        members = np.flatnonzero(labels == name)
        free = single[members][single[members] >= 0]
        assert len(free) == len(set(free))
        inside = [pairs[a, b] for a, b in pairs if labels[a] == labels[b] == name]
        if len(members) == 3:
            assert np.clip(inside, -6, 6).sum() + (3 - len(inside)) * -3 > 0
    backwards = cluster(10, ends[::-1, 0], ends[::-1, 1], strength[::-1], single)
    assert (backwards[0] == labels).all()


def test_a_chain_of_weak_links_does_not_hold() -> None:
    import numpy as np

    left = np.arange(9)
    labels, _ = cluster(10, left, left + 1, np.full(9, 1.0), np.full(10, -1))
    assert max(np.bincount(labels)) <= 2
