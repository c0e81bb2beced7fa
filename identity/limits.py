"""How many identifiers of a kind one person may have, and which links must go for it.

Two rules, each of the edges alone (adr/0010):

- an identifier beside many more holders than a person can have (a till's tablet, `no@mail.com`)
  is itself what is weak: it links nobody;
- what is left is linked from the strongest evidence down, and a link that would give a person more
  than the limit is not made. Between equals the earlier evidence wins, then the keys decide.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.components import Indices
from identity.graph import LATEST, Flags, Graph, as_array

# Beside more holders than so many times what a person may have, an identifier is nobody's.
SHARED_FACTOR = 5


class Limited(NamedTuple):
    """The limited kinds of identifiers, in the order of their names."""

    of_node: Indices  # the kind of each node, -1 where there is no limit
    types: list[str]
    per_person: list[int]
    shared_above: list[int]


def limited_kinds(nodes: pa.Table, limits: pa.Table) -> Limited:
    """What `limits` (identifier_type, namespace, per_person, shared_above) says of these nodes.

    A row without namespace counts in each namespace separately; a row with one is about that
    namespace alone and goes before. `shared_above` may be null or absent: five times per_person.
    """
    rules = {(r["identifier_type"], r["namespace"]): r for r in limits.to_pylist()}
    kinds = Limited(np.full(len(nodes), -1, dtype=np.int64), [], [], [])
    limited = pc.is_in(nodes["identifier_type"], value_set=limits["identifier_type"])
    rows = np.flatnonzero(as_array(limited))
    few = nodes.select(["identifier_type", "namespace"]).filter(limited)
    types, spaces = (_encoded(few[name]) for name in ("identifier_type", "namespace"))
    pairs = types[1] * max(len(spaces[0]), 1) + spaces[1]
    present = {
        (types[0][number // len(spaces[0])], spaces[0][number % len(spaces[0])]): number
        for number in np.flatnonzero(np.bincount(pairs))
    }
    for (kind, space), number in sorted(present.items()):
        rule = rules.get((kind, space)) or rules.get((kind, None))
        if rule:
            kinds.of_node[rows[pairs == number]] = len(kinds.types)
            kinds.types.append(kind)
            kinds.per_person.append(rule["per_person"])
            above = rule.get("shared_above")
            kinds.shared_above.append(
                SHARED_FACTOR * rule["per_person"] if above is None else above
            )
    return kinds


def shared_nodes(graph: Graph, kinds: Limited) -> Indices:
    """For each node the first kind of which it has too many holders beside it; -1 for none."""
    shared = np.full(len(graph.nodes), -1, dtype=np.int64)
    for kind, most in reversed(list(enumerate(kinds.shared_above))):
        at_right = kinds.of_node[graph.right] == kind
        at_left = kinds.of_node[graph.left] == kind
        nodes = np.concatenate([graph.left[at_right], graph.right[at_left]])
        holders = np.concatenate([graph.right[at_right], graph.left[at_left]])
        # Counting edges finds who may be over the limit; only theirs are told apart.
        often = np.bincount(nodes, minlength=len(shared)) > most
        maybe = often[nodes]
        pairs = np.unique(nodes[maybe] * len(shared) + holders[maybe])
        shared[np.bincount(pairs // max(len(shared), 1), minlength=len(shared)) > most] = kind
    return shared


def over_limit(labels: Indices, count: int, kinds: Limited, is_in: Flags) -> Flags:
    """Which of the `count` clusters hold more of a kind than a person may have."""
    over = np.zeros(count, dtype=bool)
    for kind, most in enumerate(kinds.per_person):
        held = labels[is_in & (kinds.of_node == kind)]
        over |= np.bincount(held, minlength=count) > most
    return over


def strongest_first(graph: Graph, rows: Indices) -> Indices:
    """These edges by strength, then first sight, then keys."""
    edges = graph.edges.select(["first_seen_at"]).take(pa.array(rows))
    seen = as_array(pc.fill_null(pc.cast(edges["first_seen_at"], pa.int64()), LATEST))
    left, right = graph.left[rows], graph.right[rows]
    low, high = np.minimum(left, right), np.maximum(left, right)
    return rows[np.lexsort((high, low, seen, -graph.strength()[rows]))]


def link_within_limits(
    left: Indices, right: Indices, kinds: Limited
) -> tuple[Indices, Indices, Indices]:
    """Link these edges in their order, without those that would break a limit.

    Returns for each edge the kind whose limit it would break (-1: it is linked), the nodes met
    (ascending), and a label of each one's set. One pass: each edge costs two look-ups and, when it
    links, a merge of two small tables of counts.
    """
    nodes, ends = np.unique(np.concatenate([left, right]), return_inverse=True)
    parent = list(range(len(nodes)))
    held: list[dict[int, int]] = [{k: 1} if k >= 0 else {} for k in kinds.of_node[nodes].tolist()]
    most = kinds.per_person

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = node = parent[parent[node]]
        return node

    broken = [-1] * len(left)
    pairs = zip(ends[: len(left)].tolist(), ends[len(left) :].tolist(), strict=True)
    for number, (one, other) in enumerate(pairs):
        large, small = root(one), root(other)
        if large == small:
            continue
        if len(held[large]) < len(held[small]):
            large, small = small, large
        counts = held[large]
        over = [k for k, n in held[small].items() if counts.get(k, 0) + n > most[k]]
        if over:
            broken[number] = min(over)
            continue
        for kind, size in held[small].items():
            counts[kind] = counts.get(kind, 0) + size
        parent[small] = large
    labels = np.array([root(node) for node in range(len(nodes))], dtype=np.int64)
    return np.array(broken, dtype=np.int64), nodes, labels


def _encoded(column: pa.ChunkedArray) -> tuple[list[str], Indices]:
    """The different values of a column, and each row's number among them."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.dictionary.to_pylist(), as_array(encoded.indices).astype(np.int64)
