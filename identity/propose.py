"""Who is the same person: from identifiers seen together to customer ids that never wander.

Ids are issued once and read `C0000001`; the number says when, never what. In a merge the oldest id
survives; in a split the larger part keeps it; everybody else keeps theirs. Nothing here depends on
the order of rows, so two installations that saw the same data on the same days issue the same ids.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.components import Indices, components

# An identifier that makes its cluster a person; a device alone is a visit history.
PERSONAL = ("user_id", "member_number", "external_id", "email", "phone")
KEY = ("identifier_type", "namespace", "identifier_value")
NONE = 0  # customer numbers start at 1


def propose(nodes: pa.Table, edges: pa.Table, *, last_customer_number: int) -> pa.Table:
    """Give every identifier the customer id it should stand for.

    `nodes`: node_id, the three key columns, first_seen_at, previous_customer_id (what the ledger
    says, may be null); one row per identifier that may link. `edges`: left_node, right_node as
    node ids. The answer is `nodes` with cluster_id (the number of the cluster, from 0 in the order
    of first sight) and customer_id, null where a cluster holds no identifier of a person.
    """
    nodes = nodes.sort_by([("first_seen_at", "ascending"), *((key, "ascending") for key in KEY)])
    left, right = _ends(nodes, edges)
    roots, cluster = np.unique(components(len(nodes), left, right), return_inverse=True)
    is_person = _array(pc.is_in(nodes["identifier_type"], value_set=pa.array(PERSONAL)))
    is_customer = np.zeros(len(roots), dtype=bool)
    is_customer[cluster[is_person]] = True
    previous = numbers_of(nodes["previous_customer_id"])
    number = _survivors(previous, cluster, len(roots), is_customer)
    is_new = is_customer & (number == NONE)
    number[is_new] = last_customer_number + 1 + np.arange(is_new.sum())
    return nodes.append_column("cluster_id", pa.array(cluster.astype(np.int64))).append_column(
        "customer_id", ids_of(number[cluster])
    )


def numbers_of(ids: pa.ChunkedArray | pa.Array) -> Indices:
    """The numbers of customer ids; 0 for null."""
    digits = pc.cast(pc.utf8_slice_codeunits(pc.cast(ids, pa.string()), 1), pa.int64())
    return _array(pc.fill_null(digits, NONE))


def ids_of(numbers: Indices) -> pa.Array:
    """Readable ids of customer numbers; null for 0."""
    text = pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), width=7, padding="0")
    named = pc.binary_join_element_wise("C", text, "")
    return pc.if_else(pa.array(numbers != NONE), named, pa.scalar(None, pa.string()))


def heirs(previous: Indices, cluster: Indices) -> tuple[Indices, Indices]:
    """Which cluster inherits each previous customer: the one with most of its identifiers.

    Ties go to the cluster seen first. Returns previous numbers (ascending) and their clusters.
    """
    pairs, counts = np.unique(np.stack([previous, cluster]), axis=1, return_counts=True)
    order = np.lexsort((pairs[1], -counts, pairs[0]))
    owners, first = np.unique(pairs[0][order], return_index=True)
    return owners, pairs[1][order][first]


def _survivors(
    previous: Indices, cluster: Indices, count: int, is_customer: "np.typing.NDArray[np.bool_]"
) -> Indices:
    """The oldest number among those each cluster inherits; 0 where it inherits none."""
    number = np.full(count, np.iinfo(np.int64).max, dtype=np.int64)
    known = (previous != NONE) & is_customer[cluster]
    owners, inheriting = heirs(previous[known], cluster[known])
    np.minimum.at(number, inheriting, owners)
    number[number == np.iinfo(np.int64).max] = NONE
    return number


def _ends(nodes: pa.Table, edges: pa.Table) -> tuple[Indices, Indices]:
    """Edges as row numbers of `nodes`; ValueError when one ends nowhere."""
    node_ids = nodes["node_id"].combine_chunks()
    ends = [pc.index_in(edges[side], value_set=node_ids) for side in ("left_node", "right_node")]
    if any(end.null_count for end in ends):
        raise ValueError("an edge ends at a node that is not in the table of nodes")
    return _array(pc.cast(ends[0], pa.int64())), _array(pc.cast(ends[1], pa.int64()))


def _array(values: pa.ChunkedArray | pa.Array) -> Indices:
    return (
        values.to_numpy(zero_copy_only=False) if isinstance(values, pa.Array) else values.to_numpy()
    )
