"""From pairs to persons: clusters cut by the average strength of their links."""

import heapq
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from identity.components import Indices, components

Floats = npt.NDArray[np.float64]

LARGEST = 400  # records; a larger component first loses its weakest links
STRONGEST = 6.0  # one link does not outweigh many that speak against it
UNSEEN = -3.0  # strength between records that no blocking rule brought together


class Tie(NamedTuple):
    """What stands between two clusters: strength in all, its pairs, the strongest and which."""

    strength: float
    pairs: int
    best: float
    best_pair: int

    def with_(self, other: "Tie") -> "Tie":
        """Both ties in one."""
        mine = self.best, -self.best_pair
        best, pair = max(mine, (other.best, -other.best_pair))
        return Tie(self.strength + other.strength, self.pairs + other.pairs, best, -pair)

    def average(self, possible: int) -> float:
        """Strength over all pairs between the two."""
        return (self.strength + (possible - self.pairs) * UNSEEN) / possible


def cluster(
    count: int, left: Indices, right: Indices, strength: Floats, single: Indices
) -> tuple[Indices, Indices]:
    """Join records, the strongest average first, as long as the average is above zero.

    `strength` of each pair is above zero where it speaks for one person. `single[i]` is the number
    of the duplicate-free source of record i or -1; no cluster gets two records of one such source.
    Returns the cluster of each record (its smallest record) and the pairs (as indices) that
    connect the clusters: of each joining the strongest.
    """
    chosen: list[int] = []
    for part in _parts(count, left, right, strength):
        chosen.extend(_Component(part, left, right, strength, single).join())
    pairs = np.array(sorted(chosen), dtype=np.int64)
    return components(count, left[pairs], right[pairs]), pairs


def _parts(count: int, left: Indices, right: Indices, strength: Floats) -> list[Indices]:
    """Groups of pairs: of each component of the pairs above zero, none of them too large."""
    floor = np.zeros(count)
    while True:
        alive = strength > np.maximum(floor[left], floor[right])
        part = components(count, left[alive], right[alive])
        large = np.bincount(part, minlength=count)[part] > LARGEST
        if not large.any():
            break
        # Records that nothing tells apart, hundreds of them, are no person.
        floor[large] = np.where(floor[large] < 4 * STRONGEST, floor[large] + 1, np.inf)
    inside = np.flatnonzero(part[left] == part[right])
    order = inside[np.argsort(part[left[inside]], kind="stable")]
    return np.split(order, np.flatnonzero(np.diff(part[left[order]])) + 1) if order.size else []


class _Component:
    """Average linkage within one component."""

    def __init__(
        self, part: Indices, left: Indices, right: Indices, strength: Floats, single: Indices
    ) -> None:
        self.ties: dict[int, dict[int, Tie]] = {}
        values = np.clip(strength[part], -STRONGEST, STRONGEST).tolist()
        ends = zip(left[part].tolist(), right[part].tolist(), strict=True)
        for pair, (one, other), value, raw in zip(
            part.tolist(), ends, values, strength[part].tolist(), strict=True
        ):
            tie = Tie(value, 1, raw, pair)
            self.ties.setdefault(one, {})[other] = tie
            self.ties.setdefault(other, {})[one] = tie
        self.size = dict.fromkeys(self.ties, 1)
        self.sources = {node: {int(single[node])} - {-1} for node in self.ties}
        # Of equal averages the strongest link decides, then the order of the records.
        self.heap: list[tuple[float, float, int, int, int, int]] = []
        for one in sorted(self.ties):
            self._offer(one, only_after=True)

    def join(self) -> Iterator[int]:
        """Join what belongs together; yields the strongest pair of each joining."""
        while self.heap:
            *_, one, other, size, other_size = heapq.heappop(self.heap)
            if (self.size.get(one), self.size.get(other)) != (size, other_size):
                continue
            if self.sources[one] & self.sources[other]:
                continue
            yield self.ties[one][other].best_pair
            self._merge(one, other)
            self._offer(one)

    def _merge(self, one: int, other: int) -> None:
        mine, theirs = self.ties[one], self.ties.pop(other)
        del mine[other], theirs[one]
        for third, tie in theirs.items():
            del self.ties[third][other]
            joined = tie.with_(mine[third]) if third in mine else tie
            mine[third] = self.ties[third][one] = joined
        self.size[one] += self.size.pop(other)
        self.sources[one] |= self.sources.pop(other)

    def _offer(self, node: int, *, only_after: bool = False) -> None:
        for third, tie in self.ties[node].items():
            average = tie.average(self.size[node] * self.size[third])
            if average > 0 and not (only_after and third < node):
                one, other = min(node, third), max(node, third)
                sizes = self.size[one], self.size[other]
                heapq.heappush(self.heap, (-average, -tie.best, one, other, *sizes))
