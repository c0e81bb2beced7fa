"""What one person may not have, and which links must go for it.

Two rules on how many identifiers of a kind there may be, each of the edges alone (adr/0010):

- an identifier beside many more holders than a person can have (a till's tablet, `no@mail.com`)
  is itself what is weak: it links nobody;
- what is left is linked from the strongest evidence down, and a link that would give a person more
  than the limit is not made. Between equals the earlier evidence wins, then the keys decide.

So is a pair kept apart of which somebody said that they are two people: a limit of its own, of one.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from identity.components import Indices
from identity.graph import LATEST, Flags, Graph, as_array, rows_of

# Small numbers for millions of rows: what fits in the processor's cache is many times faster.
Codes = npt.NDArray[np.int16]
Pairs = npt.NDArray[np.int64]  # 2 x number of pairs

# Beside more holders than so many times what a person may have, an identifier is nobody's.
SHARED_FACTOR = 5


class Limited(NamedTuple):
    """The limited kinds of identifiers, in the order of their names."""

    of_node: Codes  # the kind of each node, -1 where there is no limit
    types: list[str]
    per_person: list[int]
    shared_above: list[int]


def limited_kinds(graph: Graph, limits: pa.Table) -> Limited:
    """What `limits` (identifier_type, namespace, per_person, shared_above) says of the nodes.

    A row without namespace counts in each namespace separately; a row with one is about that
    namespace alone and goes before. `shared_above` may be null or absent: five times per_person.
    """
    rules = {(r["identifier_type"], r["namespace"]): r for r in limits.to_pylist()}
    kinds = Limited(np.empty(0, dtype=np.int16), [], [], [])
    runs = rows_of(graph.nodes.select(["identifier_type", "namespace"]), graph.starts)
    limited = np.flatnonzero(
        as_array(pc.is_in(runs["identifier_type"], value_set=limits["identifier_type"]))
    )
    names = [tuple(run.values()) for run in runs.take(pa.array(limited)).to_pylist()]
    kind_of: dict[tuple[str, str], int] = {}
    for kind, space in sorted(set(names)):
        rule = rules.get((kind, space)) or rules.get((kind, None))
        if rule:
            kind_of[kind, space] = len(kinds.types)
            kinds.types.append(kind)
            kinds.per_person.append(rule["per_person"])
            above = rule.get("shared_above")
            kinds.shared_above.append(
                SHARED_FACTOR * rule["per_person"] if above is None else above
            )
    of_run = np.full(len(runs), -1, dtype=np.int16)
    of_run[limited] = [kind_of.get(name, -1) for name in names]
    return kinds._replace(of_node=graph.of_runs(of_run))


def shared_nodes(graph: Graph, kinds: Limited) -> Codes:
    """For each node the first kind of which it has too many holders beside it; -1 for none."""
    size = len(graph.nodes)
    shared = np.full(size, -1, dtype=np.int16)
    if not kinds.types:
        return shared
    # Few have as many edges as there must be holders; only theirs are told apart.
    if min(kinds.shared_above) >= len(graph.left):
        return shared
    degree = np.bincount(graph.left, minlength=size)
    degree += np.bincount(graph.right, minlength=size)
    often = degree > min(kinds.shared_above)
    busy = np.flatnonzero(often)
    if not len(busy):
        return shared
    at_left, at_right = (np.flatnonzero(often[ends]) for ends in (graph.left, graph.right))
    nodes = np.concatenate([graph.left[at_left], graph.right[at_right]])
    holders = np.concatenate([graph.right[at_left], graph.left[at_right]])
    pairs = np.unique(nodes * size + holders)
    place, kind_of = np.searchsorted(busy, pairs // size), kinds.of_node[pairs % size]
    for kind, most in reversed(list(enumerate(kinds.shared_above))):
        shared[busy[np.bincount(place[kind_of == kind], minlength=len(busy)) > most]] = kind
    return shared


def over_limit(labels: Indices, count: int, kinds: Limited, is_in: Flags, apart: Pairs) -> Flags:
    """Which of the `count` clusters hold more of a kind than a person may have, or a pair apart."""
    over = np.zeros(count, dtype=bool)
    one, other = labels[apart]
    over[one[one == other]] = True
    for kind, most in enumerate(kinds.per_person):
        held = labels[is_in & (kinds.of_node == kind)]
        over |= np.bincount(held, minlength=count) > most
    return over


def strongest_first(graph: Graph, rows: Indices) -> Indices:
    """These edges (rows ascending) by strength, then first sight, then keys."""
    edges = rows_of(graph.edges.select(["first_seen_at"]), rows)
    seen = as_array(pc.fill_null(pc.cast(edges["first_seen_at"], pa.int64()), LATEST))
    left, right = graph.left[rows], graph.right[rows]
    low, high = np.minimum(left, right), np.maximum(left, right)
    return rows[np.lexsort((high, low, seen, -graph.strength(rows)))]


def link_within_limits(
    left: Indices, right: Indices, kinds: Limited, apart: Pairs
) -> tuple[Codes, Indices, Indices]:
    """Link these edges in their order, without those that would break a limit.

    Returns for each edge the kind whose limit it would break (-1: it is linked; the number of kinds
    where only a pair of `apart` would come together), the nodes met (ascending), and a label of
    each one's set. One pass: each edge costs two look-ups and, when it links, a merge of two small
    tables of counts.
    """
    nodes, ends = np.unique(np.concatenate([left, right]), return_inverse=True)
    parent = list(range(len(nodes)))
    held: list[dict[int, int]] = [{k: 1} if k >= 0 else {} for k in kinds.of_node[nodes].tolist()]
    at = np.searchsorted(nodes, apart[:, np.isin(apart, nodes).all(axis=0)])
    pairs_apart = len(kinds.types)
    for number, pair in enumerate(at.T.tolist(), start=pairs_apart):
        for node in pair:
            held[node][number] = 1
    most = [*kinds.per_person, *[1] * at.shape[1]]

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
            broken[number] = min(*over, pairs_apart)
            continue
        for kind, size in held[small].items():
            counts[kind] = counts.get(kind, 0) + size
        parent[small] = large
    labels = np.array([root(node) for node in range(len(nodes))], dtype=np.int64)
    return np.array(broken, dtype=np.int16), nodes, labels
