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
CLOSE = 64  # numbers of which one in so many occurs are looked up in a table

Flags = npt.NDArray[np.bool_]


class Graph(NamedTuple):
    """Nodes sorted by key, the edges as given, and the edges' ends as rows of `nodes`.

    `starts`: the rows at which the identifier_type or the namespace of the nodes may change.
    """

    nodes: pa.Table
    edges: pa.Table
    left: Indices
    right: Indices
    starts: Indices

    def is_of(self, types: tuple[str, ...]) -> Flags:
        """Which nodes are of one of these types."""
        kinds = rows_of(self.nodes.select(["identifier_type"]), self.starts)["identifier_type"]
        return self.of_runs(as_array(pc.is_in(kinds, value_set=pa.array(types))))

    def of_runs(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """For each node what `values` says of its run; one value for each of `starts`."""
        return np.repeat(values, np.diff(self.starts, append=len(self.nodes)))

    def strength(self, rows: Indices) -> npt.NDArray[np.float64]:
        """The strength of these edges (rows ascending); 1 where the table has none."""
        if "strength" not in self.edges.column_names:
            return np.ones(len(rows))
        strength = rows_of(self.edges.select(["strength"]), rows)["strength"]
        return as_array(pc.cast(strength, pa.float64()))


class Settled(NamedTuple):
    """What hangs together once all that must not link is gone: how many clusters, each node's one.

    A node that is shared stands for nobody.
    """

    clusters: int
    cluster: Indices
    is_shared: Flags


def load(nodes: pa.Table, edges: pa.Table) -> Graph:
    """The graph of these tables; ValueError when an edge ends nowhere or a node comes twice."""
    nodes, starts = sorted_by_key(nodes)
    find = Finder(as_array(nodes["node_id"]))
    left, right = (find(as_array(edges[side])) for side in ("left_node", "right_node"))
    if (left < 0).any() or (right < 0).any():
        raise ValueError("an edge ends at a node that is not in the table of nodes")
    return Graph(nodes, edges, left, right, starts)


def sorted_by_key(table: pa.Table) -> tuple[pa.Table, Indices]:
    """The table in the order of its keys, and the rows at which all but the value may change.

    Untouched when it is so already, which is fast to see.
    """
    starts = run_starts(table, KEY[:2])
    if len(table) < 2 or _is_sorted(table, starts[1:]):
        return table, starts
    table = table.take(pc.sort_indices(table, [(key, "ascending") for key in KEY]))
    table = table.combine_chunks()
    return table, run_starts(table, KEY[:2])


def _is_sorted(table: pa.Table, starts: Indices) -> bool:
    ascends = as_array(pc.less(table[KEY[2]][:-1], table[KEY[2]][1:]))
    # Between two kinds of identifiers it is the kinds that must ascend; there are few.
    before, after = (rows_of(table.select(KEY), rows) for rows in (starts - 1, starts))
    below = np.zeros(len(starts), dtype=bool)
    equal = ~below
    for key in KEY:
        below |= equal & as_array(pc.less(before[key], after[key]))
        equal &= as_array(pc.equal(before[key], after[key]))
    ascends[starts - 1] = below
    return bool(ascends.all())


def run_starts(table: pa.Table, names: tuple[str, ...]) -> Indices:
    """The rows at which one of these columns may change; all between are as the one before."""
    starts = [np.zeros(min(len(table), 1), dtype=np.int64)]
    for name in names:
        at = 0
        for chunk in table[name].chunks:
            ends = as_array(pc.run_end_encode(chunk, run_end_type=pa.int64()).run_ends)
            starts.append(at + ends)
            at += len(chunk)
    rows = np.unique(np.concatenate(starts))
    return rows[rows < len(table)]


def rows_of(table: pa.Table, rows: Indices) -> pa.Table:
    """These rows, ascending; `take` puts all chunks of the table together first, for a few rows."""
    parts, end = [], 0
    for batch in table.to_batches():
        start, end = end, end + len(batch)
        low, high = np.searchsorted(rows, [start, end])
        if low < high:
            parts.append(batch.take(pa.array(rows[low:high] - start)))
    return pa.Table.from_batches(parts, table.schema)


def times(nodes: pa.Table) -> Indices:
    """When each node was seen first, as a number; the greatest where nobody knows."""
    return as_array(pc.fill_null(pc.cast(nodes["first_seen_at"], pa.int64()), LATEST))


def is_among(values: Indices, chosen: Indices) -> Flags:
    """Which of these whole numbers are among the chosen; one look-up each where they lie close."""
    if not len(values) or not len(chosen):
        return np.zeros(len(values), dtype=bool)
    lowest, span = int(values.min()), int(np.ptp(values)) + 1
    if span > CLOSE * (len(values) + len(chosen)):  # a flag is a byte
        return np.isin(values, chosen)
    offsets = chosen - lowest
    is_chosen = np.zeros(span, dtype=bool)
    is_chosen[offsets[(offsets >= 0) & (offsets < span)]] = True
    return is_chosen[values - lowest]


def different(values: Indices) -> Indices:
    """These whole numbers, each once, ascending; several times faster than sorting if close."""
    if not len(values):
        return values
    lowest, span = int(values.min()), int(np.ptp(values)) + 1
    if span > CLOSE * len(values):
        return np.unique(values)
    is_there = np.zeros(span, dtype=bool)
    is_there[values - lowest] = True
    return np.flatnonzero(is_there) + lowest


class Finder:
    """Finds whole numbers in an array of different ones: their places, -1 where there is none."""

    def __init__(self, values: Indices) -> None:
        self.values = values
        self.lowest = int(values.min()) if len(values) else 0
        span = int(values.max()) - self.lowest + 1 if len(values) else 0
        # Numbers in a row need no look-up; those that lie close together are looked up in a table,
        # others by bisection.
        self.is_row = span == len(values) and bool((values[1:] > values[:-1]).all())
        self.is_dense = span <= CLOSE * len(values)
        if self.is_row:
            return
        if self.is_dense:
            # Nowhere stands 0 too: what is found is compared.
            self.places = np.zeros(span, dtype=np.int32 if span < 2**31 else np.int64)
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
        if self.is_row:
            offsets = wanted - self.lowest
            if offsets.min(initial=0) < 0 or offsets.max(initial=0) >= len(self.values):
                offsets[(offsets < 0) | (offsets >= len(self.values))] = -1
            return offsets
        if self.is_dense:
            offsets = wanted - self.lowest
            inside = (offsets >= 0) & (offsets < len(self.places))
            found = self.places[np.where(inside, offsets, 0)].astype(np.int64)
            found[self.values[found] != wanted] = -1
            return found
        spots = np.minimum(np.searchsorted(self.ordered, wanted), len(self.ordered) - 1)
        return np.where(self.ordered[spots] == wanted, self.places[spots], -1)

    def _has_twins(self) -> bool:
        if self.is_dense:
            return bool((self(self.values) != np.arange(len(self.values))).any())
        return bool((self.ordered[:-1] == self.ordered[1:]).any())


def as_array(values: pa.ChunkedArray | pa.Array) -> npt.NDArray[Any]:
    """The values as numpy's."""
    return (
        values.to_numpy(zero_copy_only=False) if isinstance(values, pa.Array) else values.to_numpy()
    )
