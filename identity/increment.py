"""A day's new records touch only what they meet: what must be resolved again, and nothing else.

A result depends on the edges that hang together, those not made included; only a shared identifier
cuts, for it links nobody whoever is beside it. So a cluster is touched when one of its nodes or
edges changed, or when a link held back ties it to a touched one. A shared identifier that is shared
still, for the same reason, is a boundary: new holders of a till's tablet do not touch the old ones.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.components import Indices, numbered_components
from identity.graph import KEY, Finder, as_array, different, is_among, load
from identity.limits import limited_kinds, shared_nodes
from identity.propose import Links, propose_for
from identity.quarantine import held_back_in


class Resolution(NamedTuple):
    """Who is whom, and the links that are not made."""

    proposal: pa.Table
    quarantine: pa.Table


class Touched(NamedTuple):
    """Nodes to resolve again (gone ones too), and the shared ones known at their boundary."""

    nodes: Indices
    shared: pa.Table  # node_id, reason

    def select(self, nodes: pa.Table, edges: pa.Table) -> tuple[pa.Table, pa.Table]:
        """The touched part of the graph: edges with a touched end, and all of their ends."""
        left, right = as_array(edges["left_node"]), as_array(edges["right_node"])
        near = is_among(left, self.nodes) | is_among(right, self.nodes)
        wanted = np.concatenate([self.nodes, left[near], right[near]])
        is_wanted = is_among(as_array(nodes["node_id"]), wanted)
        return nodes.filter(pa.array(is_wanted)), edges.filter(pa.array(near))


def resolve(
    nodes: pa.Table,
    edges: pa.Table,
    limits: pa.Table,
    *,
    last_customer_number: int,
    links: Links | None = None,
    touched: Touched | None = None,
) -> Resolution:
    """Resolve a graph, or the touched part of one as `Touched.select` gives it.

    The inputs are those of `identity.quarantine.held_back` and `identity.propose.propose`. Of a
    part the answer has the touched nodes alone, as a full one has them; ValueError where something
    else than a shared node bounds it.
    """
    shared = None if touched is None else touched.shared
    graph = load(nodes, edges)
    quarantine, settled = held_back_in(graph, limits, shared)
    proposal = propose_for(graph, settled, last_customer_number, links)
    if touched is not None:
        node_ids = as_array(proposal["node_id"])
        inside = is_among(node_ids, touched.nodes)
        if not is_among(node_ids[~inside], as_array(touched.shared["node_id"])).all():
            raise ValueError("an edge leaves the touched part: not all changes were given")
        proposal = proposal.filter(pa.array(inside))
    return Resolution(proposal, quarantine)


def changed_shared(quarantine: pa.Table, changed: pa.Table) -> pa.Array:
    """Which of the `changed` nodes (node_id) were shared: `touched` wants to see what is beside."""
    shared = _shared_in(quarantine)
    return shared["node_id"].filter(pc.is_in(shared["node_id"], value_set=changed["node_id"]))


def touched(
    previous: Resolution, changed: pa.Table, nodes: pa.Table, edges: pa.Table, limits: pa.Table
) -> Touched:
    """What changes touch.

    `previous`: what was resolved last, of the proposal node_id and cluster_id; node ids must mean
    the same identifiers since. Clusters without an end of `changed`, `edges` or the quarantine may
    be left out. `changed`: node_id of each node that is new, gone, or at the end of an edge that is
    new, changed or gone. `nodes` (node_id, identifier_type, namespace), `edges`: the present graph,
    of which only the edges of `changed_shared` and their ends are looked at.
    """
    node_ids = as_array(previous.proposal["node_id"])
    find = Finder(node_ids)
    cluster = as_array(previous.proposal["cluster_id"])
    shared = _shared_in(previous.quarantine)
    seeds = as_array(changed["node_id"])
    moved = np.empty(0, dtype=np.int64)
    if len(was := changed_shared(previous.quarantine, changed)):
        still = _still_shared(shared, was, nodes, edges, limits)
        moved = np.setdiff1d(as_array(was), still)
        seeds = seeds[~is_among(seeds, still)]
        shared = shared.filter(pc.invert(pc.is_in(shared["node_id"], value_set=pa.array(moved))))
    seeds = np.concatenate([seeds, _beside(moved, edges), _beside(moved, previous.quarantine)])
    # Of what lies beside, the shared ones stay what they are.
    seeds = different(seeds[~is_among(seeds, as_array(shared["node_id"]))])
    spots = find(seeds)
    met = different(cluster[spots[spots >= 0]])
    met = np.union1d(met, _tied(met, previous.quarantine, find, cluster))
    nodes = np.concatenate([node_ids[is_among(cluster, met)], seeds[spots < 0]])
    return Touched(nodes, shared)


def replace(previous: Resolution, part: Resolution, touched: Touched) -> Resolution:
    """The previous resolution with its touched part exchanged."""
    chosen = pa.array(touched.nodes)
    old, held = previous
    stays = pc.invert(pc.is_in(old["node_id"], value_set=chosen))
    left, right = (pc.is_in(held[side], value_set=chosen) for side in ("left_node", "right_node"))
    return Resolution(
        pa.concat_tables([old.filter(stays), part.proposal.select(old.column_names)]),
        pa.concat_tables([held.filter(pc.invert(pc.or_(left, right))), part.quarantine]),
    )


def _still_shared(
    shared: pa.Table, was: pa.Array, nodes: pa.Table, edges: pa.Table, limits: pa.Table
) -> Indices:
    """Which of these are shared still, for the reason for which they were."""
    around_nodes, around = Touched(as_array(was), shared).select(nodes, edges)
    # Kinds are counted here, whatever the values are.
    around_nodes = around_nodes.select(["node_id", *KEY[:2]])
    around_nodes = around_nodes.append_column(KEY[2], around_nodes["node_id"].cast(pa.string()))
    graph = load(around_nodes, around)
    kinds = limited_kinds(graph, limits)
    kind = shared_nodes(graph, kinds)
    node_ids = as_array(graph.nodes["node_id"])
    now = {node: f"shared:{kinds.types[kind[row]]}" for row, node in enumerate(node_ids.tolist())
           if kind[row] >= 0}  # fmt: skip
    before = zip(shared["node_id"].to_pylist(), shared["reason"].to_pylist(), strict=True)
    asked = set(was.to_pylist())
    same = [node for node, reason in before if node in asked and now.get(node) == reason]
    return np.array(same, dtype=np.int64)


def _shared_in(quarantine: pa.Table) -> pa.Table:
    """The shared nodes with their reasons, each once."""
    sides = [
        quarantine.select([f"{side}_node", f"{side}_shared"]).rename_columns(["node_id", "reason"])
        for side in ("left", "right")
    ]
    both = pa.concat_tables(sides)
    both = both.filter(pc.is_valid(both["reason"]))
    # A node is shared for one reason.
    return both.take(pa.array(np.unique(as_array(both["node_id"]), return_index=True)[1]))


def _beside(ids: Indices, edges: pa.Table) -> Indices:
    """The other ends of the edges of these nodes."""
    left, right = as_array(edges["left_node"]), as_array(edges["right_node"])
    return np.concatenate([right[is_among(left, ids)], left[is_among(right, ids)]])


def _tied(met: Indices, quarantine: pa.Table, find: Finder, cluster: Indices) -> Indices:
    """The clusters that links held back, but not by a shared node, tie to those met."""
    free = pc.and_(pc.is_null(quarantine["left_shared"]), pc.is_null(quarantine["right_shared"]))
    tied = quarantine.select(["left_node", "right_node"]).filter(free)
    ends = np.concatenate([cluster[find(as_array(tied[side]))] for side in tied.column_names])
    names, inverse = np.unique(ends, return_inverse=True)
    _, label = numbered_components(len(names), *np.split(inverse, 2))
    return names[np.isin(label, label[np.isin(names, met)])]
