"""Who is the same person: from identifiers seen together to customer ids that never wander.

Ids are issued once and read `C0000001`; the number says when, never what. Nothing here depends on
the order of rows, so two installations that saw the same data on the same days issue the same ids.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from identity.components import Indices, numbered_components
from identity.graph import (
    LATEST,
    PERSONAL,
    Finder,
    Flags,
    Graph,
    Settled,
    as_array,
    load,
    times,
)
from identity.ids import Clusters, as_column, asked, assign, numbers_in, past_of

# The ledger's past (identity.ids.past_of), or what reads it for these node ids.
Links: TypeAlias = pa.Table | Callable[[pa.Array], pa.Table]


def propose(
    nodes: pa.Table,
    edges: pa.Table,
    *,
    last_customer_number: int,
    quarantine: pa.Table | None = None,
    links: Links | None = None,
) -> pa.Table:
    """Give every identifier the number of the customer it should stand for.

    `nodes`: node_id, the three key columns, first_seen_at, previous_customer_number (what the
    ledger says, may be null); one row per identifier that may link. `edges`: left_node, right_node
    as node ids; those in `quarantine` (identity.quarantine) do not link, and what is shared there
    stands for nobody. `links`: the ledger's past, for numbers to come back; a function is called
    only when somebody's past decides something.

    The answer is `nodes` in the order of their keys, with cluster_id (the node of the cluster that
    was seen first) and customer_number, null where a cluster holds no identifier of a person.
    """
    graph = load(nodes, edges)
    kept, is_shared = _kept(graph, quarantine)
    found = numbered_components(len(graph.nodes), graph.left[kept], graph.right[kept])
    return propose_for(graph, Settled(*found, is_shared), last_customer_number, links)


def propose_for(
    graph: Graph, settled: Settled, last_customer_number: int, links: Links | None
) -> pa.Table:
    """As `propose`, of a graph of which is known already what hangs together."""
    node_ids = as_array(graph.nodes["node_id"])
    cluster = settled.cluster
    is_customer = np.zeros(settled.clusters, dtype=bool)
    is_customer[cluster[graph.is_of(PERSONAL) & ~settled.is_shared]] = True
    clusters, first = _seen(graph.nodes, cluster, is_customer)
    previous = numbers_in(graph.nodes["previous_customer_number"])
    if callable(links):
        wanted = node_ids[asked(clusters, previous)]
        links = links(pa.array(wanted)) if len(wanted) else None
    past = None if links is None else past_of(node_ids, links)
    number = assign(clusters, previous, past, last_customer_number)
    answer = graph.nodes.append_column("cluster_id", pa.array(node_ids[first][cluster]))
    return answer.append_column("customer_number", as_column(number[cluster]))


def _seen(nodes: pa.Table, cluster: Indices, is_customer: Flags) -> tuple[Clusters, Indices]:
    """The clusters with their places, and the node of each that was seen first, ties by key."""
    count, seen = len(is_customer), times(nodes)
    earliest = np.full(count, LATEST, dtype=np.int64)
    np.minimum.at(earliest, cluster, seen)
    rows = np.flatnonzero(seen == earliest[cluster])
    first = np.empty(count, dtype=np.int64)
    # What is written last stays: the lowest row.
    first[cluster[rows[::-1]]] = rows[::-1]
    # By time, then by key; to sort one column of numbers is many times faster than to sort two.
    time = np.unique(earliest, return_inverse=True)[1]
    place = np.empty(count, dtype=np.int64)
    place[np.argsort(time * len(nodes) + first)] = np.arange(count)
    return Clusters(cluster, is_customer, place), first


def _kept(graph: Graph, quarantine: pa.Table | None) -> tuple[Flags | slice, Flags]:
    """Which edges link, and which nodes are shared."""
    size = len(graph.nodes)
    is_shared = np.zeros(size, dtype=bool)
    if quarantine is None or not len(quarantine):
        return slice(None), is_shared
    find = Finder(as_array(graph.nodes["node_id"]))
    left, right = (find(as_array(quarantine[side])) for side in ("left_node", "right_node"))
    for side, ends in (("left_shared", left), ("right_shared", right)):
        is_shared[ends[as_array(quarantine[side].is_valid()) & (ends >= 0)]] = True
    known = (left >= 0) & (right >= 0)
    apart = left[known] * size + right[known]
    # Few edges run between nodes of which links are held back; only these are looked up.
    at_left, at_right = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    at_left[left[known]] = at_right[right[known]] = True
    maybe = np.flatnonzero(at_left[graph.left] & at_right[graph.right])
    kept = np.ones(len(graph.left), dtype=bool)
    kept[maybe] = ~np.isin(graph.left[maybe] * size + graph.right[maybe], apart)
    return kept, is_shared
