"""Which customers went up in others and which fell apart, and the records that did it."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.components import Indices
from identity.event_table import SCHEMA, event_table
from identity.graph import Finder, as_array, rows_of
from identity.ids import NONE

EXACT = "exact_identifier"


class Ties(NamedTuple):
    """The edges, their ends as rows of the proposal (-1: not in it), and each row's cluster."""

    edges: pa.Table
    left: Indices
    right: Indices
    cluster: Indices

    def inside(self, rows: Indices) -> Indices:
        """Those of these edges that lie within one cluster."""
        left, right = self.left[rows], self.right[rows]
        known = (left >= 0) & (right >= 0)
        rows, left, right = rows[known], left[known], right[known]
        return rows[self.cluster[left] == self.cluster[right]]


def ties_of(proposal: pa.Table, edges: pa.Table) -> Ties:
    """The edges against the clusters of the proposal."""
    if "rule" not in edges.column_names:
        edges = edges.append_column("rule", pa.repeat(EXACT, len(edges)))
    find = Finder(as_array(proposal["node_id"]))
    left, right = (find(as_array(edges[side])) for side in ("left_node", "right_node"))
    return Ties(edges, left, right, as_array(proposal["cluster_id"]))


def moved(ties: Ties, now: Indices, before: Indices) -> pa.Table:
    """Merges (survivor, other) and splits (who was divided, who got the part).

    A customer whom nobody stands for any more went up in the one that has most of its identifiers.
    """
    moving = (before != NONE) & (now != NONE) & (before != now)
    if not moving.any():
        return SCHEMA.empty_table()
    scale = int(now.max(initial=0)) + 1
    pairs, sizes = np.unique(before[moving] * scale + now[moving], return_counts=True)
    gone, heir = pairs // scale, pairs % scale
    is_largest = np.zeros(len(pairs), dtype=bool)
    order = np.lexsort((heir, -sizes, gone))
    is_largest[order[np.diff(gone[order], prepend=-1) != 0]] = True
    is_merge = is_largest & ~np.isin(gone, now)
    merged = event_table(
        int(is_merge.sum()),
        event="merged",
        customer_number=pa.array(heir[is_merge]),
        other_customer_number=pa.array(gone[is_merge]),
        **_triggers(ties, now, before, heir[is_merge]),
    )
    split = event_table(
        int((~is_merge).sum()),
        event="split",
        customer_number=pa.array(gone[~is_merge]),
        other_customer_number=pa.array(heir[~is_merge]),
        rule="no_longer_connected",
    )
    return pa.concat_tables([merged, split])


def _triggers(ties: Ties, now: Indices, before: Indices, survivors: Indices) -> dict[str, pa.Array]:
    """For each survivor the newest record that ties identifiers of different pasts together."""
    wanted = np.zeros(int(now.max(initial=0)) + 1, dtype=bool)
    wanted[survivors] = True
    # A node that the proposal does not know (-1) is last in both: `inside` sees it.
    rows = np.flatnonzero(wanted[now[ties.left]]) if len(survivors) else survivors
    rows = ties.inside(rows[before[ties.left[rows]] != before[ties.right[rows]]])
    names = ["first_seen_at", "source", "record_id", "rule"]
    found = rows_of(ties.edges.select(names), rows)
    found = found.append_column("number", pa.array(now[ties.left[rows]]))
    newest = [("number", "ascending"), ("first_seen_at", "descending")]
    found = found.sort_by([*newest, ("source", "ascending"), ("record_id", "ascending")])
    numbers, first = np.unique(as_array(found["number"]), return_index=True)
    spots = np.searchsorted(numbers, survivors)
    has_tie = np.append(numbers, -1)[spots] == survivors
    at = pa.array(np.append(first, 0)[spots], mask=~has_tie)
    rule = pc.fill_null(found["rule"].take(at), EXACT)
    return {
        "triggering_source": found["source"].take(at),
        "triggering_record_id": found["record_id"].take(at),
        "rule": pc.if_else(pc.equal(rule, EXACT), "shared_identifier", rule),
    }
