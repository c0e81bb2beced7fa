"""How probable it is that the two records of a pair are one person."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.components import Indices
from identity.matching.compare import Pairs
from identity.matching.person import Comparison
from identity.matching.settings import MatchSettings
from identity.matching.train import Evidence, Floats, agreeing, scores_of, softmax, train

CHUNK = 1 << 16  # pairs: what is worked out for so many at a time stays near the processor


class Values(NamedTuple):
    """A column as numbers of its distinct values (-1 for null), and how often each is there."""

    codes: Indices
    sizes: Indices

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> "Values":
        """The values of a column."""
        encoded = column.combine_chunks().dictionary_encode()
        codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        return cls(codes, np.bincount(codes[codes >= 0]))

    def shared(self, pairs: Pairs, part: slice) -> tuple[Indices, Indices]:
        """Which pairs of a part have one value on both sides, and the number of that value."""
        codes = self.codes[pairs.left[part]]
        equal = np.flatnonzero((codes == self.codes[pairs.right[part]]) & (codes >= 0))
        return equal, codes[equal]

    @property
    def equal_share(self) -> float:
        """The share of equal values among all pairs."""
        known = int(self.sizes.sum())
        return float((self.sizes * (self.sizes - 1)).sum()) / max(known * (known - 1), 1)


def probabilities(
    people: pa.Table,
    used: Sequence[Comparison],
    pairs: Pairs,
    chance: Sequence[Floats],
    settings: MatchSettings,
) -> Floats:
    """For each pair the probability that it is one person."""
    count = len(people)
    total = count * (count - 1) / 2
    values = [Values.of(people[c.column]) for c in used]
    # Equal values need no sample: they are counted.
    counted = [_counted(seen, v.equal_share) for seen, v in zip(chance, values, strict=True)]
    evidence = Evidence(pairs.levels, np.bincount(pairs.pattern), count, total)
    weights = train(used, evidence, counted, min(total, settings.sample_pairs))
    scores = scores_of([c.name for c in used], pairs.levels, weights)
    kinds = softmax(scores)[:-1]
    alike = [agreeing(c.name) for c in used]
    rarity = [
        _rarity(values[c], pairs, kinds[alike[c]].sum(axis=0), float(np.exp(by_chance[0])), count)
        for c, by_chance in enumerate(weights.chance)
    ]
    answer = np.empty(len(pairs.pattern))
    for start in range(0, len(answer), CHUNK):
        part = slice(start, start + CHUNK)
        told = scores[:, pairs.pattern[part]]
        for c, gain in enumerate(rarity):
            equal, value = values[c].shared(pairs, part)
            told[np.ix_(np.flatnonzero(alike[c]), equal)] += gain[value]
        answer[part] = softmax(told)[0]
    return answer


def _counted(seen: Floats, equal: float) -> Floats:
    shares = np.append(equal, seen[1:])
    return shares / max(shares.sum(), 1e-12)


def _rarity(values: Values, pairs: Pairs, alike: Floats, chance: float, count: int) -> Floats:
    """What sharing each value says beyond sharing any.

    A value that many share says less than a rare one. The records of one person make its value
    look frequent: they are taken off, at the rate at which equal values are one person's.
    `alike` is that probability for each pattern.
    """
    equal = np.zeros(len(alike), dtype=np.int64)
    for start in range(0, len(pairs.pattern), CHUNK):
        part = slice(start, start + CHUNK)
        rows, _ = values.shared(pairs, part)
        equal += np.bincount(pairs.pattern[part][rows], minlength=len(equal))
    own = float(equal @ alike) / max(int(equal.sum()), 1)
    others = (values.sizes - 2) * (1 - own) + min(1.0, chance * count)
    return np.log(chance) - np.log(np.maximum(others / count, chance * 0.02))
