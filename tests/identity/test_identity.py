"""Identity: the same people whatever the order of rows or the size of batches; ids never wander."""

from datetime import datetime, timedelta
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.components import components
from identity.contact_values import parse_contact_values
from identity.evaluate import evaluate
from identity.events import events_of
from identity.graph import KEY, Finder, different, is_among, rows_of
from identity.propose import propose

TYPES = ("user_id", "email", "anonymous_id")
DAY = datetime.fromisoformat("2026-01-01")
# A record shows one to three identifiers, each a number: its type is the number modulo three.
Record = tuple[int, ...]
RECORDS = st.lists(
    st.lists(st.integers(0, 14), min_size=1, max_size=3, unique=True).map(tuple), max_size=14
)


def graph(records: list[Record], ledger: dict[int, int | None]) -> tuple[pa.Table, pa.Table]:
    """Nodes and edges of these records, as the models make them."""
    first: dict[int, int] = {}
    for position, record in enumerate(records):
        for value in record:
            first.setdefault(value, position)
    nodes = [
        {
            "node_id": value + 100,
            **key(value),
            "first_seen_at": DAY + timedelta(days=seen),
            "first_source": "s",
            "first_record_id": f"r{seen}",
            "previous_customer_number": ledger.get(value),
        }
        for value, seen in first.items()
    ]
    edges = [
        {"left_node": r[0] + 100, "right_node": other + 100, "source": "s",
         "record_id": f"r{position}", "first_seen_at": DAY + timedelta(days=position)}
        for position, r in enumerate(records) for other in r[1:]
    ]  # fmt: skip
    return pa.Table.from_pylist(nodes, NODES), pa.Table.from_pylist(edges, EDGES)


NODES = pa.schema(
    [
        ("node_id", pa.int64()),
        *((name, pa.string()) for name in ("identifier_type", "namespace", "identifier_value")),
        ("first_seen_at", pa.timestamp("us")),
        *((n, pa.string()) for n in ("first_source", "first_record_id")),
        ("previous_customer_number", pa.int64()),
    ]
)
EDGES = pa.schema(
    [
        ("left_node", pa.int64()),
        ("right_node", pa.int64()),
        ("source", pa.string()),
        ("record_id", pa.string()),
        ("first_seen_at", pa.timestamp("us")),
    ]
)
KNOWN = pa.schema([*((n, pa.string()) for n in KEY), ("customer_number", pa.int64())])


def key(value: int) -> dict[str, str]:
    return {
        "identifier_type": TYPES[value % 3],
        "namespace": "n",
        "identifier_value": f"v{value:02d}",
    }


class Ledger:
    """The ledger a run appends to, and the map it means."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    @property
    def map(self) -> dict[int, int | None]:
        links = [e for e in self.events if e["event"] in ("linked", "unlinked")]
        return {int(e["identifier_value"][1:]): e["customer_number"] for e in links}

    def run(self, records: list[Record], shuffle: int = 0) -> list[dict[str, Any]]:
        """One run over everything seen so far, with the rows in any order."""
        nodes, edges = graph(records, self.map)
        order = np.random.default_rng(shuffle)
        nodes = nodes.take(pa.array(order.permutation(len(nodes))))
        edges = edges.take(pa.array(order.permutation(len(edges))))
        last = max((e["customer_number"] or 0 for e in self.events), default=0)
        known = [{**key(v), "customer_number": c} for v, c in self.map.items()]
        proposal = propose(nodes, edges, last_customer_number=last)
        events = events_of(
            proposal,
            edges,
            pa.Table.from_pylist(known, KNOWN),
            last_customer_number=last,
            last_event_number=len(self.events),
        ).to_pylist()
        self.events += events
        return events


def people(mapping: dict[int, int | None]) -> set[frozenset[int]]:
    """The partition a map means, without the ids."""
    groups: dict[int, set[int]] = {}
    for value, customer in mapping.items():
        if customer:
            groups.setdefault(customer, set()).add(value)
    return {frozenset(group) for group in groups.values()}


def connected(records: list[Record]) -> set[frozenset[int]]:
    """The same partition by merging sets until nothing changes; devices alone are no person."""
    groups: list[set[int]] = []
    for record in records:
        touching = [g for g in groups if g & set(record)]
        groups = [g for g in groups if not g & set(record)]
        groups.append(set(record).union(*touching))
    return {frozenset(g) for g in groups if any(v % 3 != 2 for v in g)}


@given(RECORDS, st.integers(0, 1000))
def test_the_order_of_rows_changes_no_event(records: list[Record], shuffle: int) -> None:
    assert Ledger().run(records) == Ledger().run(records, shuffle)


@given(RECORDS, st.lists(st.integers(0, 14), max_size=3))
def test_batches_end_with_the_same_people_as_one_run(
    records: list[Record], cuts: list[int]
) -> None:
    ledger = Ledger()
    for cut in sorted(cuts):
        ledger.run(records[:cut])
    ledger.run(records)
    assert people(ledger.map) == connected(records)
    assert ledger.run(records, shuffle=1) == []  # a rerun appends nothing
    assert [e["event_number"] for e in ledger.events] == list(range(1, len(ledger.events) + 1))


@given(RECORDS, RECORDS)
def test_people_not_met_keep_their_id_and_every_move_is_told(
    before: list[Record], after: list[Record]
) -> None:
    # The second run sees other records: some links are gone (a blocked value), some are new.
    ledger = Ledger()
    ledger.run(before)
    old = ledger.map
    events = ledger.run(after)
    new = {value: customer for value, customer in ledger.map.items() if customer}
    for group in people(old) & connected(after):
        assert {old[v] for v in group} == {new[v] for v in group}
    told = {
        frozenset((e["customer_number"], e["other_customer_number"]))
        for e in events
        if e["event"] in ("merged", "split")
    }
    moved = {frozenset((old[v], new[v])) for v in new if old.get(v) and old[v] != new[v]}
    assert moved == told
    issued = [e["customer_number"] for e in ledger.events if e["event"] == "issued"]
    assert len(issued) == len(set(issued))
    assert set(new.values()) <= set(issued)
    assert {v for v, c in old.items() if c and v not in new} == {
        int(e["identifier_value"][1:]) for e in events if e["event"] == "unlinked"
    }


def test_in_a_merge_the_oldest_id_survives_and_the_record_is_named() -> None:
    ledger = Ledger()
    ledger.run([(0,), (1,), (3,)])
    events = ledger.run([(0,), (1,), (3,), (1, 3)])
    assert [
        (e["event"], e["customer_number"], e["other_customer_number"], e["triggering_record_id"])
        for e in events
        if e["event"] != "linked"
    ] == [("merged", 2, 3, "r3")]


def test_in_a_split_the_larger_part_keeps_the_id() -> None:
    ledger = Ledger()
    ledger.run([(0, 1), (1, 3), (3, 4)])
    events = ledger.run([(0,), (1, 3), (3, 4)])
    assert ledger.map == {0: 2, 1: 1, 3: 1, 4: 1}
    assert [e["event"] for e in events] == ["issued", "split", "linked"]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=15))
def test_components_do_not_depend_on_direction_or_order(ends: list[tuple[int, int]]) -> None:
    left = np.array([a for a, _ in ends], dtype=np.int64)
    right = np.array([b for _, b in ends], dtype=np.int64)
    labels = components(10, left, right)
    assert (labels == components(10, right[::-1], left[::-1])).all()
    assert (labels[left] == labels[right]).all()
    expected = list(range(10))
    for one, other in ends:
        joined = {expected[one], expected[other]}
        expected = [min(joined) if label in joined else label for label in expected]
    assert labels.tolist() == expected


NUMBERS = st.lists(st.integers(-3, 12) | st.sampled_from([-(2**40), 2**40]), max_size=12)


@given(NUMBERS, NUMBERS)
def test_numbers_are_found_among_others_however_far_apart(one: list[int], other: list[int]) -> None:
    found = is_among(np.array(one, dtype=np.int64), np.array(other, dtype=np.int64))
    assert found.tolist() == [number in other for number in one]
    assert different(np.array(one, dtype=np.int64)).tolist() == sorted(set(one))
    places = Finder(np.array(sorted(set(one)), dtype=np.int64))(np.array(other, dtype=np.int64))
    spot = {number: place for place, number in enumerate(sorted(set(one)))}
    assert places.tolist() == [spot.get(number, -1) for number in other]


@given(st.lists(st.lists(st.text(max_size=2), max_size=4)), st.data())
def test_rows_are_the_same_in_whatever_chunks_they_lie(
    chunks: list[list[str]], data: st.DataObject
) -> None:
    table = pa.table({"text": pa.chunked_array(chunks, pa.string())})
    rows = sorted(data.draw(st.sets(st.sampled_from(range(len(table))))) if len(table) else [])
    texts = table["text"].to_pylist()
    assert rows_of(table, np.array(rows, int))["text"].to_pylist() == [texts[r] for r in rows]


def test_an_edge_to_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="not in the table of nodes"):
        components(2, np.array([0]), np.array([2]))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y", None])), max_size=12))
def test_evaluation_counts_what_counting_pair_by_pair_counts(
    records: list[tuple[str, str | None]],
) -> None:
    ids = [str(number) for number in range(len(records))]
    truth = pa.table(
        {
            "record_id": pa.array(ids, "string"),
            "entity_id": pa.array([t for t, _ in records], "string"),
        }
    )
    ours = pa.table(
        {
            "record_id": pa.array(ids, "string"),
            "entity_id": pa.array([o for _, o in records], "string"),
        }
    )
    pairs = list(combinations(records, 2))
    same = [a[0] == b[0] for a, b in pairs]
    put = [a[1] is not None and a[1] == b[1] for a, b in pairs]
    result = evaluate(ours, truth)
    assert (result.true_pairs, result.proposed_pairs) == (sum(same), sum(put))
    assert result.correct_pairs == sum(s and p for s, p in zip(same, put, strict=True))


def test_a_record_twice_in_a_table_is_refused() -> None:
    twice = pa.table({"record_id": ["a", "a"], "entity_id": ["x", "y"]})
    with pytest.raises(ValueError, match="not unique"):
        evaluate(twice, pa.table({"record_id": ["a"], "entity_id": ["x"]}))


def test_contact_values_keep_their_row_and_say_when_they_are_none() -> None:
    values = pa.table(
        {
            "kind": ["email", "email", "phone", "phone", "name"],
            "country": ["", "", "VN", "GB", "VN"],
            "raw_value": [" Lan@Hoa.Example ", "lan(at)hoa", "0912 345 678", "12", "Lê  Thị Na"],
        }
    )
    parsed = parse_contact_values(values)
    assert parsed["value"].to_pylist() == [
        "lan@hoa.example", None, "+84912345678", None, "Lê Thị Na",
    ]  # fmt: skip
    assert parsed["is_valid"].to_pylist() == [True, False, True, False, True]
    assert parsed["family_name"].to_pylist()[-1] == "Lê"
