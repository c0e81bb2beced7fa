"""The links that are not made, each with its reason: a pure function of the edges.

What is left when these edges are taken away needs no further rule: its connected components are the
persons, each with its own devices. A reason is `shared:<type>` (an end of the link has too many
holders of this type beside it; left_shared and right_shared say which end), `limit:<type>` (the
person would have too many of this type), `answer` (two would be one of whom somebody said that they
are not) or `device:<type>` (the device stands for another person, or for nobody).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.components import Indices, numbered_components
from identity.devices import owners
from identity.graph import DEVICES, KEY, Finder, Graph, Settled, as_array, load, rows_of
from identity.limits import (
    Codes,
    Limited,
    Pairs,
    limited_kinds,
    link_within_limits,
    over_limit,
    shared_nodes,
    strongest_first,
)

LIMITS = pa.schema(
    [
        ("identifier_type", pa.string()),
        ("namespace", pa.string()),
        ("per_person", pa.int64()),
        ("shared_above", pa.int64()),
    ]
)
SCHEMA = pa.schema(
    [
        ("left_node", pa.int64()),
        ("right_node", pa.int64()),
        ("reason", pa.string()),
        ("left_shared", pa.string()),
        ("right_shared", pa.string()),
        *((f"{side}_{key}", pa.string()) for side in ("left", "right") for key in KEY),
        ("strength", pa.float64()),
        ("rule", pa.string()),
        ("source", pa.string()),
        ("record_id", pa.string()),
        ("first_seen_at", pa.timestamp("us")),
    ]
)


def held_back(
    nodes: pa.Table, edges: pa.Table, limits: pa.Table, *, apart: pa.Table | None = None
) -> pa.Table:
    """The edges that must not link, in the order of their keys.

    `nodes`: node_id and the key columns. `edges`: left_node, right_node, source, record_id,
    first_seen_at and, where evidence differs, strength and rule. `limits` as LIMITS. `apart`
    (left_node, right_node): pairs that are two people, whatever says that they are one.
    """
    return held_back_in(load(nodes, edges), limits, None, apart)[0]


def held_back_in(
    graph: Graph, limits: pa.Table, shared: pa.Table | None, apart: pa.Table | None = None
) -> tuple[pa.Table, Settled]:
    """As `held_back`, of a graph loaded already; beside it what is left without these edges.

    `shared` (node_id, reason): identifiers known to be shared though not all of their edges are
    here.
    """
    kinds = limited_kinds(graph, limits)
    reasons = _Reasons(kinds.types)
    shared_of = reasons.of_kinds("shared", shared_nodes(graph, kinds))
    if shared is not None and len(shared):
        places = Finder(as_array(graph.nodes["node_id"]))(as_array(shared["node_id"]))
        codes = np.array([reasons.code(text) for text in shared["reason"].to_pylist()], np.int16)
        shared_of[places[places >= 0]] = codes[places >= 0]
    is_shared = shared_of >= 0
    reason = np.full(len(graph.left), -1, dtype=np.int16)
    at = np.flatnonzero(is_shared[graph.left] | is_shared[graph.right])
    left, right = shared_of[graph.left[at]], shared_of[graph.right[at]]
    reason[at] = np.where(left >= 0, left, right)
    rows, owner = _settle(graph, kinds, reasons, reason, _pairs(graph, apart))
    strange = rows[owner[graph.left[rows]] != owner[graph.right[rows]]]
    of_device = reasons.of_devices(graph, strange)
    reason[strange] = np.where(reason[strange] < 0, of_device, reason[strange])
    settled = Settled(*_clusters(graph, owner, rows[reason[rows] < 0]), is_shared)
    return _table(graph, reasons, reason, shared_of), settled


def _clusters(graph: Graph, owner: Indices, rows: Indices) -> tuple[int, Indices]:
    """Number what hangs together: what has an owner as one, other devices by the edges `rows`.

    Writes into `owner`, which nobody needs afterwards.
    """
    loose = np.flatnonzero(owner < 0)
    left, right = graph.left[rows], graph.right[rows]
    among = (owner[left] < 0) & (owner[right] < 0)
    ends = (np.searchsorted(loose, side[among]) for side in (left, right))
    _, labels = numbered_components(len(loose), *ends)
    cluster = owner
    cluster[loose] = owner.max(initial=-1) + 1 + labels
    is_used = np.zeros(cluster.max(initial=-1) + 1, dtype=bool)
    is_used[cluster] = True
    return int(is_used.sum()), (np.cumsum(is_used) - 1)[cluster]


def _pairs(graph: Graph, apart: pa.Table | None) -> Pairs:
    """Rows of the nodes that must stay apart; a node that is not there needs no keeping."""
    if apart is None:
        return np.empty((2, 0), dtype=np.int64)
    find = Finder(as_array(graph.nodes["node_id"]))
    pairs = np.stack([find(as_array(apart[side])) for side in ("left_node", "right_node")])
    return pairs[:, (pairs >= 0).all(axis=0) & (pairs[0] != pairs[1])]


def _settle(
    graph: Graph, kinds: Limited, reasons: "_Reasons", reason: Codes, apart: Pairs
) -> tuple[Indices, Indices]:
    """Mark in `reason` what breaks a limit; the edges with a device, and whose each node is."""
    is_device = graph.is_of(DEVICES)
    usable = reason < 0
    with_device = usable & (is_device[graph.left] | is_device[graph.right])
    personal = np.flatnonzero(usable & ~with_device)
    left, right = graph.left[personal], graph.right[personal]
    count, labels = numbered_components(len(graph.nodes), left, right)
    over = over_limit(labels, count, kinds, ~is_device, apart)
    slow = strongest_first(graph, personal[over[labels[left]]])
    if len(slow):
        ends = graph.left[slow], graph.right[slow]
        broken, members, sets = link_within_limits(*ends, kinds, apart)
        reason[slow] = reasons.of_kinds("limit", broken, beyond="answer")
        labels[members] = count + sets
    rows = np.flatnonzero(with_device)
    ends = graph.left[rows], graph.right[rows]
    return rows, owners(labels, is_device, *ends, graph.strength(rows))


class _Reasons:
    """Reasons as small numbers, so that millions of edges can carry one."""

    def __init__(self, types: list[str]) -> None:
        self.types = types
        self.texts: list[str] = []

    def code(self, text: str) -> int:
        """The number of a reason."""
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text)

    def of_kinds(self, word: str, kinds: Codes, *, beyond: str = "") -> Codes:
        """The reason for each kind, `beyond` for what is none of them; -1 stays."""
        codes = [self.code(f"{word}:{name}") for name in self.types]
        codes += [self.code(beyond)] if beyond else []
        return np.array([*codes, -1], dtype=np.int16)[kinds]

    def text_of(self, codes: Codes) -> pa.Array:
        """The reasons in words; null for -1."""
        return pa.array(self.texts, pa.string()).take(pa.array(codes, mask=codes < 0))

    def of_devices(self, graph: Graph, rows: Indices) -> Codes:
        """The reason for each of these edges, after the type of its device."""
        codes = np.full(len(rows), -1, dtype=np.int16)
        for ends in (graph.left[rows], graph.right[rows]):
            kinds = graph.nodes["identifier_type"].take(pa.array(ends))
            for name in DEVICES:
                is_device = as_array(pc.equal(kinds, name))
                codes[is_device] = np.maximum(codes[is_device], self.code(f"device:{name}"))
        return codes


def _table(graph: Graph, reasons: _Reasons, reason: Codes, shared_of: Codes) -> pa.Table:
    rows = np.flatnonzero(reason >= 0)
    left, right = graph.left[rows], graph.right[rows]
    edges = rows_of(graph.edges, rows)
    ends, place = np.unique(np.concatenate([left, right]), return_inverse=True)
    ends = rows_of(graph.nodes.select(KEY), ends)
    sides = zip(("left", "right"), np.split(place, 2), strict=True)
    keys = {f"{s}_{key}": ends[key].take(pa.array(at)) for s, at in sides for key in KEY}
    columns = {
        "reason": reasons.text_of(reason[rows]),
        "left_shared": reasons.text_of(shared_of[left]),
        "right_shared": reasons.text_of(shared_of[right]),
        "strength": pa.array(graph.strength(rows), pa.float64()),
        "rule": pa.repeat("exact_identifier", len(rows)),
        **keys,
    }
    held = {name: edges[name] for name in edges.column_names if name in SCHEMA.names}
    whole = {**columns, **held, "strength": columns["strength"]}
    table = pa.table([pc.cast(whole[f.name], f.type) for f in SCHEMA], schema=SCHEMA)
    order = [(name, "ascending") for name in (*keys, "source", "record_id", "rule")]
    return table.take(pc.sort_indices(table, order))
