"""Which customer number each cluster bears: numbers are issued once and never wander.

A number is the id to come (`customer_id_of` in dbt writes C0000001 for 1).

The oldest id a cluster inherits survives. Where the identifiers of one customer fall apart, the
larger part keeps the id - unless the parts were customers of their own before: then each gets its
own id back. All that is needed for it is the history of each identifier in the ledger.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.components import Indices
from identity.graph import LATEST, Finder, Flags, as_array

NONE = 0  # customer numbers start at 1


class Clusters(NamedTuple):
    """Clusters of nodes: the number of each node's, which are persons, and when each was seen."""

    of_node: Indices
    is_customer: Flags
    place: Indices  # of each cluster in the order of first sight


class Past(NamedTuple):
    """Times at which an identifier stood for a customer: row of the node, customer, from, until.

    From and until are event numbers. Sorted by node and time; is_held: somebody stands for this
    customer still.
    """

    node: Indices
    customer: Indices
    since: Indices
    until: Indices
    is_held: Flags

    def take(self, rows: Indices | Flags) -> "Past":
        """Some of the rows."""
        return Past._make(column[rows] for column in self)


def numbers_in(column: pa.ChunkedArray) -> Indices:
    """A column of customer numbers; NONE for null."""
    return as_array(pc.fill_null(column, NONE))


def as_column(numbers: Indices) -> pa.Array:
    """Customer numbers for a table; null for NONE."""
    return pa.array(numbers, mask=numbers == NONE)


def past_of(node_ids: Indices, links: pa.Table) -> Past:
    """The history in `links` (node_id, event_number, customer_number, is_held) of these nodes."""
    node = Finder(node_ids)(as_array(links["node_id"]))
    known = np.flatnonzero(node >= 0)
    number = as_array(links["event_number"])
    order = known[np.lexsort((number[known], node[known]))]
    node, number = node[order], number[order]
    customer = numbers_in(links["customer_number"])[order]
    until = np.full(len(order), LATEST, dtype=np.int64)
    goes_on = node[1:] == node[:-1]
    until[:-1][goes_on] = number[1:][goes_on]
    is_held = as_array(pc.fill_null(links["is_held"], False))[order].astype(bool)
    return Past(node, customer, number, until, is_held).take(customer != NONE)


def assign(clusters: Clusters, previous: Indices, past: Past | None, last: int) -> Indices:
    """The customer number of each cluster, 0 where it is no person.

    `previous` is what each node stands for now; numbers from `last` + 1 on are issued in the order
    of first sight to the clusters that inherit none.
    """
    number = np.full(len(clusters.is_customer), LATEST, dtype=np.int64)
    known = (previous != NONE) & clusters.is_customer[clusters.of_node]
    owners, heir, divided = heirs(clusters, previous, np.flatnonzero(known), past)
    np.minimum.at(number, heir, owners)
    if past is not None and len(past.node):
        # First what is decided among the parts of those that fall apart, then who comes back alone.
        _revive(number, divided, clusters.is_customer & (number == LATEST))
        lost = clusters.is_customer & (number == LATEST)
        mine = past.take(lost[clusters.of_node[past.node]])
        alone = _divide(clusters, mine).items()
        _revive(number, {c: part for c, part in alone if c not in divided}, lost)
    number[~clusters.is_customer] = NONE
    by_place = np.empty_like(clusters.place)
    by_place[clusters.place] = np.arange(len(by_place))
    new = by_place[number[by_place] == LATEST]
    number[new] = last + 1 + np.arange(len(new))
    return number


def asked(clusters: Clusters, previous: Indices) -> Flags:
    """The nodes whose past `assign` looks at.

    Those of the clusters that inherit no customer, or one of whom others inherit a part.
    """
    known = np.flatnonzero((previous != NONE) & clusters.is_customer[clusters.of_node])
    count = max(len(clusters.is_customer), 1)
    pairs = np.unique(previous[known] * count + clusters.of_node[known])
    owners, heir = pairs // count, pairs % count
    is_torn = np.isin(owners, owners[1:][owners[1:] == owners[:-1]])
    is_asked = clusters.is_customer.copy()
    is_asked[heir] = False
    is_asked[heir[is_torn]] = True
    return is_asked[clusters.of_node]


def heirs(
    clusters: Clusters, previous: Indices, rows: Indices, past: Past | None
) -> tuple[Indices, Indices, dict[int, int]]:
    """Which cluster inherits each customer that the nodes in `rows` stand for.

    Beside it the part of each customer that once went up in one that falls apart now.
    """
    count = max(len(clusters.is_customer), 1)
    pairs = np.unique(previous[rows] * count + clusters.of_node[rows])
    owners, heir = pairs // count, pairs % count
    first = np.flatnonzero(np.diff(owners, prepend=-1))
    parts = np.diff(first, append=len(owners))
    whole, torn = first[parts == 1], owners[first[parts > 1]]
    if not len(torn):
        return owners[whole], heir[whole], {}
    members = rows[np.isin(previous[rows], torn)]
    divided = _divide(clusters, _with_present(members, previous, past), torn)
    kept = np.array([divided.pop(owner) for owner in torn.tolist()], dtype=np.int64)
    return np.concatenate([owners[whole], torn]), np.concatenate([heir[whole], kept]), divided


def _revive(number: Indices, heir: dict[int, int], without: Flags) -> None:
    """Give clusters that have no number the oldest of those that come back to them."""
    for customer, part in heir.items():
        if without[part]:
            number[part] = min(number[part], customer)


def _with_present(members: Indices, previous: Indices, past: Past | None) -> Past:
    """What these nodes are now, and what they were."""
    size = len(members)
    since = np.zeros(size, dtype=np.int64)
    present = Past(
        members, previous[members], since, np.full(size, LATEST), np.ones(size, dtype=bool)
    )
    if past is None:
        return present
    mine = past.take(np.isin(past.node, members))
    current = mine.take((mine.until == LATEST) & (mine.customer == previous[mine.node]))
    since[np.searchsorted(members, current.node)] = current.since
    former = mine.take(mine.until < LATEST)
    return Past._make(np.concatenate(columns) for columns in zip(present, former, strict=True))


def _divide(clusters: Clusters, past: Past, torn: Indices | None = None) -> dict[int, int]:
    """For each customer that nobody else stands for, and those in `torn`, who bears its id now.

    The lives of customers are gone through in the order in which they ended. A part that is what
    became of a customer has no claim, from that end on, on the one it went up in. So an id goes to
    the part with most identifiers from before; then to whom it belonged in an earlier life, then
    to the largest part, then to the one seen first.
    """
    heir: dict[int, int] = {}
    ended: dict[int, int] = {}
    came_along: dict[int, set[int]] = {}
    for over, customer, members in sorted(_lives(clusters, past), key=lambda life: life[:2]):
        size = Counter(part for part, _ in members)
        before = Counter(
            part
            for (part, node), since in members.items()
            if since < ended.get(part, LATEST) and node not in came_along.get(part, ())
        )
        earlier = heir.get(customer)
        best = min(size, key=lambda p: (-before[p], p != earlier, -size[p], clusters.place[p]))
        if over < LATEST and not before[best]:
            continue  # nobody comes from it who does not come from one that went up in it
        heir[customer] = best
        ended[best] = min(over, ended.get(best, LATEST))
        came_along.setdefault(best, set()).update(node for part, node in members if part == best)
    free = set(past.customer[~past.is_held].tolist())
    free.update([] if torn is None else torn.tolist())
    return {customer: part for customer, part in heir.items() if customer in free}


def _lives(clusters: Clusters, past: Past) -> Iterator[tuple[int, int, dict[tuple[int, int], int]]]:
    """Each time a customer had identifiers: its end, the customer, and who came in when.

    Who came in is a pair of cluster and node. A life is over when the last identifier has left.
    """
    order = np.lexsort((past.node, past.since, past.customer))
    columns = (past.customer, clusters.of_node[past.node], past.node, past.since, past.until)
    rows = zip(*(column[order].tolist() for column in columns), strict=True)
    for customer, group in groupby(rows, key=lambda row: row[0]):
        members: dict[tuple[int, int], int] = {}
        over = 0
        for _, part, node, since, until in group:
            if members and since > over:
                yield over, customer, members
                members = {}
            members.setdefault((part, node), since)
            over = max(over, until)
        yield over, customer, members
