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
    """How many components there are, and the number of each node's; in no promised order.

    Most identifiers hang on one other. So each node is hung on a lower one beside it, whichever,
    and each such tree becomes one node before the search, which then has few left to walk.
    """
    if node_count == 0:
        return 0, np.empty(0, dtype=np.int64)
    for ends in (left, right):
        if ends.size and (ends.min() < 0 or ends.max() >= node_count):
            raise ValueError("an edge ends at a node that is not in the table of nodes")
    # Three arrays in turns: memory that is new costs more than what is written into it.
    nodes = np.arange(node_count)
    root, spare = nodes.copy(), np.empty_like(nodes)
    root[np.maximum(left, right)] = np.minimum(left, right)
    while not np.array_equal(np.take(root, root, out=spare, mode="clip"), root):
        root, spare = spare, root
    number = np.cumsum(root == nodes, out=spare)
    number -= 1
    trees = int(number[-1]) + 1
    tree = np.take(number, root, out=nodes, mode="clip")
    one, other = tree[left], tree[right]
    apart = np.flatnonzero(one != other)
    count, labels = _searched(trees, one[apart], other[apart])
    return count, np.take(labels, tree, out=root, mode="clip")


def _searched(node_count: int, left: Indices, right: Indices) -> tuple[int, Indices]:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    # scipy works with 32 bits; handing it 64 costs a copy.
    if node_count < 2**31:
        left, right = left.astype(np.int32), right.astype(np.int32)
    ones = np.ones(len(left), dtype=np.int8)
    graph = coo_matrix((ones, (left, right)), shape=(node_count, node_count))
    count, labels = connected_components(graph, directed=False)
    return int(count), labels.astype(np.int64)
