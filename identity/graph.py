"""The identifier graph as arrays: nodes in the order of their keys, edges as row numbers.

The order of the keys stands for content wherever something must be decided between equals, so that
neither the order of rows nor the numbering of nodes decides anything.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from identity.components import Indices

KEY = ("identifier_type", "namespace", "identifier_value")
# An identifier that makes its cluster a person; a device alone is a visit history.
# A record stands for itself where it names somebody and no account (identity_record_holders).
PERSONAL = ("user_id", "member_number", "external_id", "record", "email", "phone")
DEVICES = ("anonymous_id", "device_id")
LATEST = np.iinfo(np.int64).max

Flags = npt.NDArray[np.bool_]


class Graph(NamedTuple):
    """Nodes sorted by key, the edges as given, and the edges' ends as rows of `nodes`."""

    nodes: pa.Table
    edges: pa.Table
    left: Indices
    right: Indices

    def is_of(self, types: tuple[str, ...]) -> Flags:
        """Which nodes are of one of these types."""
        return as_array(pc.is_in(self.nodes["identifier_type"], value_set=pa.array(types)))

    def strength(self) -> npt.NDArray[np.float64]:
        """Each edge's strength; 1 where the table has none."""
        if "strength" not in self.edges.column_names:
            return np.ones(len(self.edges))
        return as_array(pc.cast(self.edges["strength"], pa.float64()))


def load(nodes: pa.Table, edges: pa.Table) -> Graph:
    """The graph of these tables; ValueError when an edge ends nowhere or a node comes twice."""
    nodes = sorted_by_key(nodes)
    find = Finder(as_array(nodes["node_id"]))
    left, right = (find(as_array(edges[side])) for side in ("left_node", "right_node"))
    if (left < 0).any() or (right < 0).any():
        raise ValueError("an edge ends at a node that is not in the table of nodes")
    return Graph(nodes, edges, left, right)


def sorted_by_key(table: pa.Table) -> pa.Table:
    """The table in the order of its keys; untouched when it is so already, which is fast to see."""
    below = np.zeros(max(len(table) - 1, 0), dtype=bool)
    equal = ~below
    for key in KEY:
        column = table[key].combine_chunks()
        below |= equal & as_array(pc.less(column[:-1], column[1:]))
        equal &= as_array(pc.equal(column[:-1], column[1:]))
    if below.all():
        return table
    table = table.take(pc.sort_indices(table, [(key, "ascending") for key in KEY]))
    return table.combine_chunks()


def first_sight(nodes: pa.Table) -> Indices:
    """The place of each node (sorted by key) in the order of first sight, ties by key."""
    seen = pc.fill_null(pc.cast(nodes["first_seen_at"], pa.int64()), LATEST)
    place = np.empty(len(nodes), dtype=np.int64)
    place[np.argsort(as_array(seen), kind="stable")] = np.arange(len(nodes))
    return place


class Finder:
    """Finds whole numbers in an array of different ones: their places, -1 where there is none."""

    def __init__(self, values: Indices) -> None:
        self.values = values
        self.lowest = int(values.min()) if len(values) else 0
        span = int(values.max()) - self.lowest + 1 if len(values) else 0
        # Numbers that lie close together are looked up in a table, others by bisection.
        self.is_dense = span <= 4 * len(values) + 1024
        if self.is_dense:
            self.places = np.full(span, -1, dtype=np.int64)
            self.places[values - self.lowest] = np.arange(len(values))
        else:
            self.places = np.argsort(values, kind="stable")
            self.ordered = values[self.places]
        if self._has_twins():
            raise ValueError("a node comes twice in the table of nodes")

    def __call__(self, wanted: Indices) -> Indices:
        """The place of each of `wanted`."""
        if not len(self.values):
            return np.full(len(wanted), -1, dtype=np.int64)
        if self.is_dense:
            offsets = wanted - self.lowest
            inside = (offsets >= 0) & (offsets < len(self.places))
            return np.where(inside, self.places[np.where(inside, offsets, 0)], -1)
        spots = np.minimum(np.searchsorted(self.ordered, wanted), len(self.ordered) - 1)
        return np.where(self.ordered[spots] == wanted, self.places[spots], -1)

    def _has_twins(self) -> bool:
        if self.is_dense:
            return int((self.places >= 0).sum()) != len(self.values)
        return bool((self.ordered[:-1] == self.ordered[1:]).any())


def as_array(values: pa.ChunkedArray | pa.Array) -> npt.NDArray[Any]:
    """The values as numpy's."""
    return (
        values.to_numpy(zero_copy_only=False) if isinstance(values, pa.Array) else values.to_numpy()
    )
