"""From pairs to persons: clusters cut by the average strength of their links."""

import heapq
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from identity.components import Indices, components

Floats = npt.NDArray[np.float64]

LARGEST = 400  # records; a larger component is first cut at its weakest links
UNSEEN = -3.0  # strength between records that no blocking rule brought together
STRONGEST = 6.0


def cluster(
    count: int, left: Indices, right: Indices, strength: Floats, single: Indices
) -> tuple[Indices, Indices]:
    """Join records, the strongest average first, as long as the average is above zero.

    `strength` of each pair is above zero where it speaks for one person. `single[i]` is the number
    of the duplicate-free source of record i or -1; no cluster gets two records of one such source.
    Returns the cluster of each record (its smallest record) and the pairs (as indices) that
    connect the clusters, the strongest of each joining.
    """
    strength = np.clip(strength, -STRONGEST, STRONGEST)
    labels = np.arange(count, dtype=np.int64)
    chosen: list[int] = []
    for members in _parts(count, left, right, strength):
        edges = {
            pair: (strength[pair], int(left[pair]), int(right[pair])) for pair in members.tolist()
        }
        chosen.extend(_join(edges, labels, single))
    return labels, np.array(sorted(chosen), dtype=np.int64)


def _parts(
    count: int, left: Indices, right: Indices, strength: Floats
) -> Iterable[npt.NDArray[np.int64]]:
    """Groups of pairs, one for each component of the pairs above zero, none of them too large."""
    floor = np.zeros(count)
    while True:
        alive = (strength > 0) & (strength > np.maximum(floor[left], floor[right]))
        part = components(count, left[alive], right[alive])
        sizes = np.bincount(part, minlength=count)
        large = sizes[part] > LARGEST
        if not large.any():
            break
        floor[large] += 0.5
        if floor.max() >= STRONGEST:
            # All links are equally strong: nothing tells the records apart, nothing is joined.
            hopeless = large & (floor >= STRONGEST)
            floor[hopeless] = np.inf
    inside = np.flatnonzero((part[left] == part[right]) & (sizes[part[left]] > 1))
    order = inside[np.argsort(part[left[inside]], kind="stable")]
    return np.split(order, np.flatnonzero(np.diff(part[left[order]])) + 1) if order.size else []


def _join(
    edges: dict[int, tuple[float, int, int]], labels: Indices, single: Indices
) -> Iterable[int]:
    """Average linkage within one component; sets `labels`, yields the connecting pairs."""
    total: dict[int, dict[int, tuple[float, int, float, int]]] = {}
    for pair, (value, one, other) in edges.items():
        for a, b in ((one, other), (other, one)):
            total.setdefault(a, {})[b] = (value, 1, value, pair)
    size = dict.fromkeys(total, 1)
    sources = {node: {int(single[node])} - {-1} for node in total}
    heap = [(-value, one, other, 1, 1) for value, one, other in edges.values() if value > 0]
    heapq.heapify(heap)
    while heap:
        negative, a, b, size_a, size_b = heapq.heappop(heap)
        if size.get(a) != size_a or size.get(b) != size_b or b not in total[a]:
            continue
        if sources[a] & sources[b]:
            continue
        yield total[a][b][3]
        # The smaller number lives on.
        del total[a][b], total[b][a]
        for c, (value, known, best, pair) in total.pop(b).items():
            del total[c][b]
            if c in total[a]:
                value2, known2, best2, pair2 = total[a][c]
                best, pair = max((best, -pair), (best2, -pair2))
                value, known, pair = value + value2, known + known2, -pair
            total[a][c] = total[c][a] = (value, known, best, pair)
        size[a] += size.pop(b)
        sources[a] |= sources.pop(b)
        labels[labels == b] = a
        for c, (value, known, _, _) in total[a].items():
            unseen = size[a] * size[c] - known
            average = (value + unseen * UNSEEN) / (size[a] * size[c])
            if average > 0:
                one, other = min(a, c), max(a, c)
                heapq.heappush(heap, (-average, one, other, size[one], size[other]))
