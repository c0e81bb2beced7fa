"""Limits, devices, ids that come back and increments: whatever comes, in whatever order."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity import decisions, event_table, events, quarantine
from identity.events import events_of
from identity.graph import KEY, load
from identity.health import figures
from identity.increment import (
    Resolution,
    Touched,
    changed_shared,
    replace,
    resolve,
    touched,
)
from identity.survivors import survivors

DAY = datetime.fromisoformat("2026-01-01")
TYPES = ("member_number", "email", "user_id", "anonymous_id")
LIMITS = pa.Table.from_pylist(
    [
        {"identifier_type": "member_number", "per_person": 1, "shared_above": 3},
        {"identifier_type": "user_id", "per_person": 2, "shared_above": 3},
        {"identifier_type": "email", "namespace": "", "per_person": 2, "shared_above": 4},
    ],
    quarantine.LIMITS,
)
SIDES = ("left", "right")
PAIR = ("left_node", "right_node")
NO_LIMITS = quarantine.LIMITS.empty_table()
NODES = pa.schema(
    [
        ("node_id", pa.int64()),
        *((key, pa.string()) for key in KEY),
        ("first_seen_at", pa.timestamp("us")),
        *((n, pa.string()) for n in ("first_source", "first_record_id")),
        ("previous_customer_number", pa.int64()),
    ]
)
EDGES = pa.schema(
    [
        *((name, pa.int64()) for name in ("left_node", "right_node", "strength")),
        *((name, pa.string()) for name in ("rule", "source", "record_id")),
        ("first_seen_at", pa.timestamp("us")),
    ]
)
KNOWN = pa.schema([*((n, pa.string()) for n in KEY), ("customer_number", pa.int64())])
LINKS = pa.schema(
    [
        ("node_id", pa.int64()),
        ("event_number", pa.int64()),
        ("customer_number", pa.int64()),
        ("is_held", pa.bool_()),
    ]
)


class Edge(NamedTuple):
    left: int
    right: int
    strength: int = 1
    day: int = 0


NODE = st.integers(0, 19)
EDGE = st.builds(Edge, NODE, NODE, st.integers(1, 3), st.integers(0, 3)).filter(
    lambda edge: edge.left != edge.right
)
# One edge for a pair of nodes, as the model gives them.
EDGE_SETS = st.lists(EDGE, max_size=30, unique_by=lambda e: frozenset(e[:2]))


def key(node: int) -> tuple[str, str, str]:
    kind = TYPES[node % 4]
    return kind, "" if kind == "email" else "n", f"v{node:03d}"


class World:
    """A warehouse and its ledger; `numbering` says which node id an identifier has."""

    def __init__(self, limits: pa.Table = LIMITS, numbering: int = 0) -> None:
        self.limits, self.events = limits, pa.table({})
        self.ids = np.random.default_rng(numbering).permutation(400).tolist()
        self.log: list[dict[str, Any]] = []
        self.last: Resolution | None = None
        self.graph: tuple[frozenset[int], frozenset[Edge]] = frozenset(), frozenset()

    @property
    def map(self) -> dict[tuple, int | None]:
        links = [e for e in self.log if e["event"] in ("linked", "unlinked")]
        return {tuple(e[k] for k in KEY): e["customer_number"] for e in links}

    @property
    def people(self) -> dict[int, int]:
        return {int(k[2][1:]): c for k, c in self.map.items() if c}

    def tables(self, edges: list[Edge], extra: list[int]) -> tuple[pa.Table, pa.Table]:
        present = dict.fromkeys([n for e in edges for n in e[:2]] + extra)
        nodes = [
            {"node_id": self.ids[n], **dict(zip(KEY, key(n), strict=True)),
             "first_seen_at": DAY + timedelta(days=n % 3), "first_source": "s",
             "first_record_id": f"r{n}", "previous_customer_number": self.map.get(key(n))}
            for n in present
        ]  # fmt: skip
        rows = [
            {"left_node": self.ids[e.left], "right_node": self.ids[e.right], "strength": e.strength,
             "rule": "exact_identifier" if e.strength > 1 else "probable_match", "source": "s",
             "record_id": f"r{min(e[:2])}-{max(e[:2])}",
             "first_seen_at": DAY + timedelta(days=e.day)}
            for e in edges
        ]  # fmt: skip
        return pa.Table.from_pylist(nodes, NODES), pa.Table.from_pylist(rows, EDGES)

    def links(self) -> pa.Table:
        held = set(self.map.values())
        at = {key(n): node for n, node in enumerate(self.ids)}
        rows = [
            {"node_id": at[tuple(e[k] for k in KEY)], "event_number": e["event_number"],
             "customer_number": e["customer_number"], "is_held": e["customer_number"] in held}
            for e in self.log if e["event"] in ("linked", "unlinked")
        ]  # fmt: skip
        return pa.Table.from_pylist(rows, LINKS)

    def links_of(self, nodes: pa.Array) -> pa.Table:
        links = self.links()
        return links.filter(pc.is_in(links["node_id"], value_set=nodes))

    def touched(self, changed: pa.Table, nodes: pa.Table, edges: pa.Table) -> Touched:
        """What changes touch, by the least that must be known of the graph."""
        assert self.last
        proposal, held = self.last
        shared = changed_shared(held, changed)
        beside = [pc.is_in(edges[f"{side}_node"], value_set=shared) for side in SIDES]
        edges = edges.filter(pc.or_(*beside))
        kinds = nodes.select(["node_id", *KEY[:2]])
        ends = [t[f"{side}_node"].combine_chunks() for t in (edges, held) for side in SIDES]
        ends = pa.concat_arrays([changed["node_id"].combine_chunks(), *ends])
        met = proposal.filter(pc.is_in(proposal["node_id"], value_set=ends))["cluster_id"]
        proposal = proposal.filter(pc.is_in(proposal["cluster_id"], value_set=met))
        return touched(Resolution(proposal, held), changed, kinds, edges, self.limits)

    def run(
        self, edges: list[Edge], extra: list[int] = (), shuffle: int = 0, by_part: bool = False
    ) -> list[dict[str, Any]]:
        """One run over this graph; `by_part` resolves what it touches only."""
        nodes, table = self.tables(list(edges), list(extra))
        order = np.random.default_rng(shuffle)
        nodes = nodes.take(pa.array(order.permutation(len(nodes))))
        table = table.take(pa.array(order.permutation(len(table))))
        last = max((e["customer_number"] or 0 for e in self.log), default=0)
        known = [
            {**dict(zip(KEY, k, strict=True)), "customer_number": c} for k, c in self.map.items()
        ]
        part, whole = None, (nodes, table)
        if by_part and self.last:
            part = self.touched(self.changed(edges, nodes), nodes, table)
            nodes, table = part.select(nodes, table)
            kept = {key(self.ids.index(i)) for i in set(self.ids) - set(part.nodes.tolist())}
            known = [row for row in known if tuple(row[k] for k in KEY) not in kept]
        found = resolve(
            nodes,
            table,
            self.limits,
            last_customer_number=last,
            links=self.links_of if part else self.links(),
            touched=part,
        )
        events = events_of(
            found.proposal,
            table,
            pa.Table.from_pylist(known, KNOWN),
            last_customer_number=last,
            last_event_number=len(self.log),
        )
        self.log += events.to_pylist()
        self.last = replace(self.last, found, part) if part and self.last else found
        self.graph = frozenset(self.keys(whole[0])), frozenset(edges)
        return events.to_pylist()

    def keys(self, nodes: pa.Table) -> list[int]:
        return [self.ids.index(i) for i in nodes["node_id"].to_pylist()]

    def changed(self, edges: list[Edge], nodes: pa.Table) -> pa.Table:
        moved = {n for e in frozenset(edges) ^ self.graph[1] for n in e[:2]}
        moved |= set(self.keys(nodes)) ^ self.graph[0]
        return pa.table({"node_id": pa.array([self.ids[n] for n in moved], pa.int64())})

    def clusters(self) -> dict[int, int]:
        assert self.last
        rows = self.last.proposal.select(["node_id", "cluster_id"]).to_pylist()
        return {self.ids.index(r["node_id"]): self.ids.index(r["cluster_id"]) for r in rows}

    def held_back(self) -> set[tuple]:
        """The quarantine without the numbers of nodes."""
        assert self.last
        rows = self.last.quarantine.to_pylist()
        names = [n for n in quarantine.SCHEMA.names if n not in ("left_node", "right_node")]
        found = {tuple(row[n] for n in names) for row in rows}
        assert len(found) == len(rows)
        return found


def beside(edges: list[Edge], node: int, kind: str) -> set[int]:
    ends = {(e.left, e.right) for e in edges} | {(e.right, e.left) for e in edges}
    return {other for one, other in ends if one == node and key(other)[0] == kind}


@given(EDGE_SETS)
def test_no_person_is_over_a_limit_and_every_link_held_back_would_break_one(
    edges: list[Edge],
) -> None:
    world = World()
    world.run(edges)
    cluster = world.clusters()
    most = {r["identifier_type"]: r for r in LIMITS.to_pylist()}
    shared = {
        n for n in cluster for kind, row in most.items()
        if len(beside(edges, n, kind)) > row["shared_above"]
    }  # fmt: skip
    members: dict[int, Counter[str]] = {}
    for node, label in cluster.items():
        members.setdefault(label, Counter())[key(node)[0]] += 1
    for counts in members.values():
        assert all(counts[kind] <= row["per_person"] for kind, row in most.items())
    held = {(int(r["left_identifier_value"][1:]), int(r["right_identifier_value"][1:])): r
            for r in world.last.quarantine.to_pylist()}  # fmt: skip
    for edge in edges:
        row = held.get(edge[:2])
        # An edge links or is in quarantine, never both and never neither.
        assert (cluster[edge.left] != cluster[edge.right]) == (row is not None)
        if row is None:
            continue
        assert (edge.left in shared, edge.right in shared) == (
            row["left_shared"] is not None, row["right_shared"] is not None,
        )  # fmt: skip
        reason, kind = row["reason"].split(":")
        assert (reason == "shared") == (not shared.isdisjoint(edge[:2]))
        if reason == "limit":
            both = members[cluster[edge.left]] + members[cluster[edge.right]]
            assert both[kind] > most[kind]["per_person"]
        if reason == "device":
            assert kind in (key(edge.left)[0], key(edge.right)[0])
    assert shared.isdisjoint(world.people)


@given(EDGE_SETS, st.lists(st.tuples(NODE, NODE), max_size=4), st.integers(1, 1000))
def test_who_is_said_to_be_two_never_is_one_and_nobody_else_is_held_back(
    edges: list[Edge], said: list[tuple[int, int]], shuffle: int
) -> None:
    # Of a device nobody is asked.
    said = [(a, b) for a, b in said if a != b and "anonymous_id" not in map(kind_of, (a, b))]
    world, twin = World(), World(numbering=shuffle)
    held, cluster = apart(world, edges, said)
    assert all(
        cluster[one] != cluster[other] for one, other in said if {one, other} <= cluster.keys()
    )
    for row in (row for row in held if row["reason"] == "answer"):
        ends = {cluster[int(row[f"{side}_identifier_value"][1:])] for side in SIDES}
        assert any(ends == {cluster.get(one), cluster.get(other)} for one, other in said)
    keys = [[row[name] for name in row if not name.endswith("_node")] for row in held]
    again = [edge._replace(left=edge.right, right=edge.left) for edge in reversed(edges)]
    turned, _ = apart(twin, edges, [pair[::-1] for pair in reversed(said)])
    assert keys == [[row[name] for name in row if not name.endswith("_node")] for row in turned]
    assert len(apart(world, again, said)[0]) == len(held)


def apart(
    world: World, edges: list[Edge], said: list[tuple[int, int]]
) -> tuple[list[dict[str, Any]], dict[int, int]]:
    """What is held back, and the cluster of each node, where these pairs are two people."""
    nodes, table = world.tables(edges, [])
    pairs = {name: [world.ids[pair[at]] for pair in said] for at, name in enumerate(PAIR)}
    graph = load(nodes, table)
    pairs = pa.table(pairs, pa.schema([(name, pa.int64()) for name in PAIR]))
    held, settled = quarantine.held_back_in(graph, LIMITS, None, pairs)
    return held.to_pylist(), dict(zip(world.keys(graph.nodes), settled.cluster, strict=True))


def kind_of(node: int) -> str:
    return key(node)[0]


@given(EDGE_SETS)
def test_a_device_never_joins_two_persons(edges: list[Edge]) -> None:
    # A device that is shared is nobody's; one that is not, changes nothing among persons.
    world, without = World(), World()
    world.run(edges)
    # Devices count as no holder here, so that taking them away takes no reason away.
    devices = {n for e in edges for n in e[:2] if key(n)[0] == "anonymous_id"}
    personal = [e for e in edges if devices.isdisjoint(e[:2])]
    without.run(personal, sorted({n for e in edges for n in e[:2]} - devices))
    assert {n: c for n, c in world.people.items() if n not in devices}.keys() == (
        without.people.keys()
    )
    assert partition(world.people, devices) == partition(without.people, devices)


def partition(people: dict[int, int], without: set[int] = frozenset()) -> set[frozenset[int]]:
    groups: dict[int, set[int]] = {}
    for node, customer in people.items():
        if node not in without:
            groups.setdefault(customer, set()).add(node)
    return {frozenset(g) for g in groups.values()}


def test_a_device_belongs_to_the_stronger_evidence_and_in_a_tie_to_nobody() -> None:
    one, other, device, also = 2, 6, 3, 7
    world = World()
    world.run([Edge(one, device, 2), Edge(other, device, 1), Edge(device, also)])
    assert partition(world.people) == {frozenset({one, device, also}), frozenset({other})}
    assert [r["reason"] for r in world.last.quarantine.to_pylist()] == ["device:anonymous_id"]
    world.run([Edge(one, device), Edge(other, device), Edge(device, also)])
    assert partition(world.people) == {frozenset({one}), frozenset({other})}


def test_the_weakest_link_is_dropped_and_the_earlier_wins_between_equals() -> None:
    card, other, email, second = 0, 4, 1, 5
    chain = [Edge(card, email, 3), Edge(email, second, 1), Edge(second, other, 2)]
    world = World()
    world.run(chain)
    assert partition(world.people) == {frozenset({card, email}), frozenset({other, second})}
    late = World()
    late.run([Edge(other, email, 1, day=1), Edge(card, email, 1, day=2)])
    assert partition(late.people) == {frozenset({card}), frozenset({email, other})}
    assert [e["rule"] for e in late.log if e["event"] == "linked"].count("probable_match") == 2


@given(EDGE_SETS, st.integers(1, 1000))
def test_neither_rows_nor_numbers_nor_direction_decide(edges: list[Edge], shuffle: int) -> None:
    one, other = World(), World(numbering=shuffle)
    assert one.run(edges) == other.run(edges, shuffle=shuffle)
    assert one.held_back() == other.held_back()
    turned = World()
    turned.run([Edge(e.right, e.left, e.strength, e.day) for e in edges])
    assert partition(turned.people) == partition(one.people)


@given(EDGE_SETS, st.lists(st.integers(0, 30), max_size=4), st.booleans())
def test_day_by_day_ends_where_one_load_ends(
    edges: list[Edge], cuts: list[int], by_part: bool
) -> None:
    daily, whole = World(), World()
    for cut in [*sorted(cuts), len(edges)]:
        daily.run(edges[:cut], by_part=by_part)
    whole.run(edges)
    assert partition(daily.people) == partition(whole.people)
    assert daily.held_back() == whole.held_back()
    assert daily.run(edges, shuffle=3, by_part=by_part) == []


@given(st.lists(st.tuples(EDGE_SETS, st.lists(NODE, max_size=3)), min_size=2, max_size=5))
def test_what_is_touched_alone_gives_what_everything_gives(
    days: list[tuple[list[Edge], list[int]]],
) -> None:
    full, part = World(), World()
    for edges, alone in days:
        before = part.people
        assert full.run(edges, alone) == part.run(edges, alone, by_part=True)
        assert full.held_back() == part.held_back()
        assert full.clusters() == part.clusters()
        # Nobody whom nothing met has another id than before.
        met = {c for n, c in before.items() if n not in part.people or part.people[n] != c}
        assert met <= set(before.values())


# Addresses with more cards beside them than a person has, and edges that come and go one by one.
CARDS = st.sampled_from((0, 4, 8, 12, 16))
HUB = st.builds(Edge, st.sampled_from((1, 5)), CARDS, st.integers(1, 3), st.integers(0, 3))
POOL = st.lists(st.one_of(HUB, EDGE), min_size=8, max_size=24, unique_by=lambda e: frozenset(e[:2]))


@given(POOL, st.lists(st.sets(st.integers(0, 23), max_size=3), min_size=2, max_size=5))
def test_a_few_edges_more_or_less_touch_all_that_they_change(
    pool: list[Edge], turns: list[set[int]]
) -> None:
    full, part = World(), World()
    off: set[int] = set()
    for turn in turns:
        off ^= turn
        edges = [edge for number, edge in enumerate(pool) if number not in off]
        assert full.run(edges) == part.run(edges, by_part=True)
        assert full.held_back() == part.held_back()
        assert full.clusters() == part.clusters()


@given(EDGE_SETS, EDGE_SETS, st.integers(1, 5))
def test_the_parts_in_which_events_come_change_none(
    one: list[Edge], other: list[Edge], size: int
) -> None:
    whole, parts = World(), World()
    for edges in (one, other):
        with pytest.MonkeyPatch.context() as patch:
            for module in (event_table, events):
                patch.setattr(module, "PART", size)
            in_parts = parts.run(edges)
        assert whole.run(edges) == in_parts


@given(EDGE_SETS, EDGE)
def test_a_record_changes_nobody_whom_it_does_not_meet(edges: list[Edge], new: Edge) -> None:
    edges = [e for e in edges if set(e[:2]) != set(new[:2])]
    world = World()
    world.run(edges)
    before, meets = world.people, set(new[:2])
    while more := {n for e in edges if meets & set(e[:2]) for n in e[:2]} - meets:
        meets |= more
    world.run([*edges, new])
    assert {n: c for n, c in before.items() if n not in meets} == {
        n: c for n, c in world.people.items() if n not in meets
    }


# Persons of three identifiers each, and values that tie two of them, blocked later.
BRIDGES = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda pair: pair[0] != pair[1]),
    min_size=1,
    max_size=6,
)


@given(BRIDGES, st.lists(st.integers(0, 5), max_size=6), st.randoms(use_true_random=False))
def test_blocking_what_merged_people_gives_everybody_the_old_id_back(
    bridges: list[tuple[int, int]], joining: list[int], random: Any
) -> None:
    world = World(NO_LIMITS)
    own = [Edge(a, b) for p in range(6) for a, b in pairwise(range(p * 4, p * 4 + 3))]
    for person in range(6):  # one after the other, so that ages differ
        world.run([e for e in own if e.left < person * 4 + 4])
    old = world.people
    assert len(set(old.values())) == 6
    ties: list[Edge] = []
    for number, (one, other) in enumerate(bridges):
        value = 101 + 4 * number  # an e-mail
        ties += [Edge(one * 4, value), Edge(other * 4, value)]
        if number < len(joining):  # somebody's second account, never a tie
            own.append(Edge(joining[number] * 4, 202 + 4 * number))
        world.run([*own, *ties])
    merged = world.people
    values = [101 + 4 * number for number in range(len(bridges))]
    blocked: set[int] = set()
    for value in random.sample(values, len(values)):
        blocked.add(value)
        world.run([*own, *(e for e in ties if e.right not in blocked)])
    assert {n: c for n, c in world.people.items() if n in old} == old
    assert {world.people[e.right] for e in own if e.right > 200} <= set(old.values())
    world.run([*own, *ties])
    assert world.people == merged
    leads = survivors(pa.Table.from_pylist(world.log)).to_pylist()
    leads = {row["customer_number"]: row["current_customer_number"] for row in leads}
    assert set(leads.values()) == set(world.people.values())
    assert all(leads[customer] == world.people[node] for node, customer in old.items())


def test_a_person_blocked_whole_comes_back_with_the_same_id() -> None:
    world = World()
    world.run([Edge(1, 2), Edge(5, 6)])
    before = world.people
    world.run([Edge(5, 6)])
    assert world.people == {n: c for n, c in before.items() if n > 2}
    world.run([Edge(5, 6), Edge(9, 10)])
    world.run([Edge(1, 2), Edge(5, 6), Edge(9, 10)])
    assert {n: c for n, c in world.people.items() if n < 9} == before


def test_a_tablet_with_a_hundred_thousand_cards_takes_seconds() -> None:
    count = 100_000
    started = datetime.now()  # noqa: DTZ005
    for above in (5, count):  # shared, and one by one within the limit
        limits = LIMITS.slice(0, 1).set_column(3, "shared_above", pa.array([above], pa.int64()))
        text = pa.array([f"v{n:07d}" for n in range(count)] + ["tablet"])
        kinds = pa.array(["member_number"] * count + ["phone"])
        nodes = pa.table({
            "node_id": pa.array(range(count + 1)), "identifier_type": kinds,
            "namespace": pa.repeat("", count + 1), "identifier_value": text,
        })  # fmt: skip
        edges = pa.table({
            "left_node": pa.array(range(count)), "right_node": pa.repeat(count, count),
            "source": pa.repeat("s", count), "record_id": text.slice(0, count),
            "first_seen_at": pa.repeat(pa.scalar(DAY, pa.timestamp("us")), count),
        })  # fmt: skip
        held = quarantine.held_back(nodes, edges, limits)
        assert len(held) == (count if above == 5 else count - 1)
    assert (datetime.now() - started).total_seconds() < 20  # noqa: DTZ005


def test_changes_that_were_not_all_given_are_refused() -> None:
    world = World()
    world.run([Edge(1, 2), Edge(5, 6)])
    nodes, edges = world.tables([Edge(1, 2), Edge(5, 6), Edge(2, 5)], [])
    changed = pa.table({"node_id": pa.array([world.ids[2]])})
    part = touched(world.last, changed, nodes, edges, LIMITS)
    with pytest.raises(ValueError, match="leaves the touched part"):
        resolve(*part.select(nodes, edges), LIMITS, last_customer_number=9, touched=part)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=8))
def test_decisions_are_numbered_on_and_a_pair_reads_the_same_either_way(
    said: list[tuple[int, bool]],
) -> None:
    events = decisions.blocked(values_of([]), rule="by_hand", last_event_number=0)
    for value, yes in said:
        add = decisions.blocked if yes else decisions.unblocked
        more = add(values_of([value]), rule="by_hand", last_event_number=len(events))
        events = pa.concat_tables([events, more])
        pair = [("s", f"r{value}"), ("t", "r")]
        left, right = pair if yes else pair[::-1]
        answer = dict(zip(decisions.PAIR, (*left, *right), strict=True)) | {"is_accepted": yes}
        answers = pa.Table.from_pylist([answer])
        more = decisions.reviewed(answers, last_event_number=len(events))
        events = pa.concat_tables([events, more])
    assert events["event_number"].to_pylist() == list(range(1, 2 * len(said) + 1))
    assert [(e["event"], e["identifier_value"], e["rule"]) for e in events.to_pylist()] == [
        event
        for value, yes in said
        for event in (
            ("blocked" if yes else "unblocked", f"v{value:03d}", "by_hand"),
            ("reviewed", f"r{value}", "accepted" if yes else "rejected"),
        )
    ]


def values_of(nodes: list[int]) -> pa.Table:
    rows = [dict(zip(KEY, key(n), strict=True)) for n in nodes]
    return pa.Table.from_pylist(rows, pa.schema([(name, pa.string()) for name in KEY]))


@given(EDGE_SETS)
def test_the_figures_of_the_graph_add_up(edges: list[Edge]) -> None:
    world = World()
    events = world.run(edges)
    assert world.last
    table = figures(
        world.last.proposal, world.last.quarantine, pa.Table.from_pylist(events, EVENT_NAMES)
    )
    found = dict(zip(table["metric"].to_pylist(), table["value"].to_pylist(), strict=True))
    people = partition(world.people)
    assert found["customers"] == len(people) == found["issued"]
    sizes = [v for name, v in found.items() if name.startswith("customers_of_size:")]
    assert sum(sizes) == len(people)
    assert found["largest_customer:1"] == max(map(len, people), default=0)
    assert found["identifiers"] - found["identifiers_of_nobody"] == len(world.people)
    reasons = [v for name, v in found.items() if name.startswith("quarantined_links:")]
    assert sum(reasons) == found["quarantined_links"] == len(world.held_back())


EVENT_NAMES = pa.schema([("event", pa.string())])
