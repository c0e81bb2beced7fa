"""How probable it is that the two records of a pair are one person."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from identity.components import Indices
from identity.matching.person import Comparison
from identity.matching.settings import MatchSettings
from identity.matching.train import Evidence, Floats, agreeing, kinds_of, softmax, train


class Pairs(NamedTuple):
    """Candidates: row numbers of both records, and levels by comparison (row) and pair."""

    left: Indices
    right: Indices
    levels: npt.NDArray[np.int8]


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
    evidence = Evidence(pairs.levels, count, total)
    weights = train(used, evidence, counted, min(total, settings.sample_pairs))
    kinds = kinds_of([c.name for c in used], pairs.levels, weights)
    scores = np.zeros_like(kinds) + weights.kinds[:, None]
    for c, comparison in enumerate(used):
        gain = np.append(weights.same[c] - weights.chance[c], 0.0)[pairs.levels[c]]
        alike = agreeing(comparison.name)
        equal, log_chance = _by_frequency(
            values[c], pairs, kinds[:-1][alike], float(np.exp(weights.chance[c][0])), count
        )
        gain[equal] = weights.same[c][0] - log_chance
        scores[:-1][alike] += gain
    return softmax(scores)[0]


def _counted(seen: Floats, equal: float) -> Floats:
    shares = np.append(equal, seen[1:])
    return shares / max(shares.sum(), 1e-12)


def _by_frequency(
    values: Values, pairs: Pairs, alike: Floats, chance: float, count: int
) -> tuple[Indices, Floats]:
    """Pairs of equal values, and the logarithm of the chance of meeting that value.

    A value that many share says less than a rare one. The records of one person make its value
    look frequent: they are taken off, at the rate at which equal values are one person's.
    """
    codes = values.codes[pairs.left]
    equal = np.flatnonzero((codes == values.codes[pairs.right]) & (codes >= 0))
    own = alike[:, equal].sum() / max(len(equal), 1)
    others = (values.sizes[codes[equal]] - 2) * (1 - own) + min(1.0, chance * count)
    return equal, np.log(np.maximum(others / count, chance * 0.02))
