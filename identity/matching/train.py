"""What agreement weighs, learned without labels (expectation maximisation).

A candidate pair is one person, or two: strangers, or related in one of the ways of
`person.RELATIONS`. Every relation says which attributes agree as if of one person; the rest agrees
by chance. All pairs outside the candidates count as strangers, so the blocking does not distort.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from identity.matching.person import RELATIONS, Comparison

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BELIEF = 30.0  # how many pairs of one person the starting values are worth
CHANCE_BELIEF = 3000.0  # and how many random pairs
LASTING = ("given", "family", "birth", "national")
PEER_BELIEF = 0.5  # how much the other lasting attributes count beside the attribute's own pairs
# The most that may differ between records of one person, so that what is learned stays a person.
DIFFERING, DIFFERING_LASTING = 0.6, 0.15
RECORDS_ALIKE = 0.1  # pairs of one person for each record, to begin with
MOST_ALIKE = 0.05  # of all pairs: records that say nothing are not one person for being many
ROUNDS_ALONE, ROUNDS = 12, 25


class Evidence(NamedTuple):
    """Candidates: levels by comparison (row) and pattern (column), how many pairs of each pattern.

    `pairs` are all there are between the `records`.
    """

    levels: npt.NDArray[np.int8]
    counts: Ints
    records: int
    pairs: float


class Weights(NamedTuple):
    """Logarithms: of each level's share in pairs of one person, by chance; of each kind of pair.

    Kinds are: one person, each of the relations, strangers.
    """

    same: list[Floats]
    chance: list[Floats]
    kinds: Floats


def train(
    comparisons: Sequence[Comparison], evidence: Evidence, observed: Sequence[Floats], sample: float
) -> Weights:
    """Learn from the candidates; `observed` is the share of each level in `sample` random pairs."""
    patterns, counts = evidence.levels, evidence.counts
    names = [c.name for c in comparisons]
    beliefs = [np.array([level.same for level in c.levels]) for c in comparisons]
    starts = [np.array([level.chance for level in c.levels]) for c in comparisons]
    beliefs = [b / b.sum() for b in beliefs]
    by_chance = [
        (seen * sample + start * CHANCE_BELIEF) / (sample + CHANCE_BELIEF)
        for seen, start in zip(observed, starts, strict=True)
    ]
    expected = np.array([RECORDS_ALIKE, *(r.expected for r in RELATIONS)]) * evidence.records
    expected = np.minimum(expected, 0.1 * evidence.pairs / len(expected))
    believed = np.array([r.believed for r in RELATIONS])
    same, chance, found = list(beliefs), list(by_chance), expected
    for turn in range(ROUNDS_ALONE + ROUNDS):
        weights = Weights(
            [np.log(s) for s in same], [np.log(c) for c in chance], _kinds(found, evidence.pairs)
        )
        share = softmax(scores_of(names, patterns, weights)) * counts
        found = share[:-1].sum(axis=1)
        # An attribute that differs is an error or another person; where both explain a pair,
        # a relation has to explain more than its share.
        found[1:] = (found[1:] + believed * expected[1:]) / (1 + believed)
        found = np.maximum(found, expected * 0.02)
        found[0] = min(found[0], MOST_ALIKE * evidence.pairs)
        if turn < ROUNDS_ALONE:
            continue
        same = _same(names, patterns, share[0], beliefs)
        for c, levels in enumerate(patterns):
            size = len(beliefs[c])
            alike = agreeing(names[c])
            related = np.bincount(levels + 1, share[:-1][alike].sum(axis=0), size + 1)[1:]
            rest = np.maximum(by_chance[c] * evidence.pairs - related, 0)
            chance[c] = np.maximum(rest / evidence.pairs, starts[c] * 1e-3)
            chance[c] /= chance[c].sum()
    return weights


def _same(
    names: Sequence[str],
    patterns: npt.NDArray[np.int8],
    share: Floats,
    beliefs: Sequence[Floats],
) -> list[Floats]:
    """The share of each level in pairs of one person.

    What never changes in a life is wrong about as often in one attribute as in another. So an
    attribute that differs far more often than its peers shows other people, not errors.
    """
    counts = [
        np.bincount(levels + 1, share, len(belief) + 1)[1:] + BELIEF * belief
        for levels, belief in zip(patterns, beliefs, strict=True)
    ]
    answer = []
    for c, name in enumerate(names):
        own = counts[c]
        peers = [k for n, k in zip(names, counts, strict=True) if n in LASTING and n != name]
        if name in LASTING and peers:
            differing = sum(k[-1] for k in peers) / sum(k.sum() for k in peers)
            rest = own[:-1] / own[:-1].sum() * (1 - differing)
            own = own + PEER_BELIEF * own.sum() * np.append(rest, differing)
        own = own / own.sum()
        most = DIFFERING_LASTING if name in LASTING else DIFFERING
        if own[-1] > most:
            own = np.append(own[:-1] * (1 - most) / max(own[:-1].sum(), 1e-9), most)
        answer.append(own)
    return answer


def scores_of(names: Sequence[str], patterns: npt.NDArray[np.int8], weights: Weights) -> Floats:
    """The logarithm, but for a constant, of the probability of each kind (row) of each pattern."""
    scores = np.zeros((len(weights.kinds), patterns.shape[1])) + weights.kinds[:, None]
    for c, name in enumerate(names):
        gain = np.append(weights.same[c] - weights.chance[c], 0.0)[patterns[c]]
        scores[:-1][agreeing(name)] += gain
    return scores


def softmax(scores: Floats) -> Floats:
    """Probabilities from logarithms, over the rows."""
    scores = np.exp(scores - scores.max(axis=0))
    return scores / scores.sum(axis=0)


def agreeing(name: str) -> npt.NDArray[np.bool_]:
    """In which kinds but strangers the attribute agrees as if of one person."""
    return np.array([True, *(name in r.alike for r in RELATIONS)])


def _kinds(found: Floats, pairs: float) -> Floats:
    shares = np.append(found, max(pairs - found.sum(), pairs * 0.1)) / pairs
    return np.log(shares / shares.sum())
