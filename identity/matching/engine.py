"""Match records: prepare, block, compare, learn, join."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.matching.blocking import Candidates, block
from identity.matching.cluster import cluster
from identity.matching.person import COMPARISONS, RELATIONS, Comparison
from identity.matching.prepare import prepare
from identity.matching.settings import MatchSettings
from identity.matching.train import Evidence, Floats, Ints, Weights, softmax, train, agreeing

PAIRS = pa.schema(
    [
        ("left_key", pa.string()),
        ("right_key", pa.string()),
        ("probability", pa.float64()),
        ("evidence", pa.string()),
    ]
)


class Matches(NamedTuple):
    """What was found.

    `links` connect the records of one person, just enough of them and the strongest; `reviews` are
    pairs that a person should decide. `candidates` says how much was compared and left out.
    """

    links: pa.Table
    reviews: pa.Table
    candidates: Candidates


def match(records: pa.Table, settings: MatchSettings | None = None) -> Matches:
    """Find the records of one person; `records` has one row per record (`settings.COLUMNS`)."""
    import duckdb

    from identity.matching.compare import compare

    settings = settings or MatchSettings()
    con = duckdb.connect(config={"threads": "1"})
    try:
        people = prepare(con, records, settings)
        used = [c for c in COMPARISONS if pc.count_distinct(people[c.column]).as_py() > 1]
        candidates = block(con, len(people), settings)
        if not used or not candidates.compared:
            return Matches(PAIRS.empty_table(), PAIRS.empty_table(), candidates)
        pairs, chance = compare(con, used, settings)
    finally:
        con.close()
    left, right = (pairs[side].to_numpy().astype(np.int64) for side in ("l", "r"))
    levels = np.stack([pairs[c.name].to_numpy() for c in used])
    probability = _score(people, used, left, right, levels, chance, settings)
    return _answer(people, used, left, right, levels, probability, candidates, settings)


def _score(people, used, left, right, levels, chance, settings):
    count = len(people)
    total = count * (count - 1) / 2
    codes = [_codes(people[c.column]) for c in used]
    sample = min(total, settings.sample_pairs)
    for c, (code, sizes) in enumerate(codes):
        # Chance of equal values is counted, not sampled.
        known = sizes.sum()
        exact = float((sizes * (sizes - 1)).sum()) / max(known * (known - 1), 1)
        chance[c][0] = exact
        chance[c] = chance[c] / chance[c].sum()
    weights = train(used, Evidence(levels, count, total), chance, sample)
    names = [c.name for c in used]
    scores = np.zeros((len(weights.kinds), len(left))) + weights.kinds[:, None]
    gains = []
    from identity.matching.train import kinds_of
    first = kinds_of(names, levels, weights)
    for c, name in enumerate(names):
        code, sizes = codes[c]
        gain = np.append(weights.same[c] - weights.chance[c], 0.0)[levels[c]]
        equal = (code[left] == code[right]) & (code[left] >= 0)
        # How much of the agreement on this attribute is people, not chance.
        alike = first[:-1][agreeing(name)].sum(axis=0)
        rho = alike[equal].sum() / max(equal.sum(), 1)
        own = np.exp(weights.chance[c][0])
        freq = ((sizes[code[left[equal]]] - 2) * (1 - rho) + min(1.0, own * count)) / count
        gain[equal] = weights.same[c][0] - np.log(np.maximum(freq, own * 0.02))
        gains.append(gain)
        scores[:-1][agreeing(name)] += gain
    return softmax(scores)[0]


def _codes(column: pa.ChunkedArray):
    encoded = column.combine_chunks().dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, np.bincount(codes[codes >= 0]).astype(np.float64)


def _answer(people, used, left, right, levels, probability, candidates, settings):
    p = np.clip(probability, 1e-12, 1 - 1e-12)
    cut = settings.link_threshold
    strength = np.log(p / (1 - p)) - np.log(cut / (1 - cut))
    source = people["source_key"].combine_chunks().dictionary_encode()
    free = np.array([s in settings.duplicate_free for s in source.dictionary.to_pylist()])
    single = source.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    single = np.where(free[single], single, -1)
    labels, chosen = cluster(len(people), left, right, strength, single)
    reviews = np.flatnonzero(
        (probability >= settings.review_threshold) & (labels[left] != labels[right])
    )
    def table(index):
        keys = people["record_key"].combine_chunks()
        a, b = keys.take(pa.array(left[index])), keys.take(pa.array(right[index]))
        return pa.table({"left_key": pc.min_element_wise(a, b) if False else a, "right_key": b, "probability": np.round(probability[index], 6),
          "evidence": pa.array(_texts(used, levels[:, index]), pa.string())}, schema=PAIRS)
    return Matches(table(chosen), table(reviews), candidates)


def _texts(used, levels):
    out=[]
    for column in levels.T:
        out.append(", ".join(c.levels[l].evidence for c, l in zip(used, column) if l >= 0))
    return out
