"""Connected components of the identifier graph."""

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


def components(node_count: int, left: Indices, right: Indices) -> Indices:
    """Label each of `node_count` nodes with the smallest index of its component.

    `left` and `right` are the ends of the edges, as indices below `node_count`. The labels do
    not depend on the order or direction of the edges. Raises ValueError for an index out of range.
    """
    count, labels = numbered_components(node_count, left, right)
    smallest = np.full(count, node_count, dtype=np.int64)
    np.minimum.at(smallest, labels, np.arange(node_count, dtype=np.int64))
    return smallest[labels]


def numbered_components(node_count: int, left: Indices, right: Indices) -> tuple[int, Indices]:
    """How many components there are, and the number of each node's; in no promised order."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if node_count == 0:
        return 0, np.empty(0, dtype=np.int64)
    for ends in (left, right):
        if ends.size and (ends.min() < 0 or ends.max() >= node_count):
            raise ValueError("an edge ends at a node that is not in the table of nodes")
    # scipy works with 32 bits; handing it 64 costs a copy.
    rows, columns = (
        (left.astype(np.int32), right.astype(np.int32)) if node_count < 2**31 else (left, right)
    )
    graph = coo_matrix(
        (np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(node_count, node_count)
    )
    count, labels = connected_components(graph, directed=False)
    return int(count), labels.astype(np.int64)
