"""Connected components of the identifier graph."""

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


def components(node_count: int, left: Indices, right: Indices) -> Indices:
    """Label each of `node_count` nodes with the smallest index of its component.

    `left` and `right` are the ends of the edges, as indices below `node_count`. The labels do
    not depend on the order or direction of the edges. Raises ValueError for an index out of range.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if node_count == 0:
        return np.empty(0, dtype=np.int64)
    ends = np.concatenate([left, right])
    if ends.size and (ends.min() < 0 or ends.max() >= node_count):
        raise ValueError("an edge ends at a node that is not in the table of nodes")
    graph = coo_matrix(
        (np.ones(len(left), dtype=np.int8), (left, right)), shape=(node_count, node_count)
    )
    _, labels = connected_components(graph, directed=False)
    smallest = np.full(labels.max() + 1, node_count, dtype=np.int64)
    np.minimum.at(smallest, labels, np.arange(node_count, dtype=np.int64))
    return smallest[labels]
