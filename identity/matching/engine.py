"""Match records: prepare, block, compare, learn, join."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from identity.components import Indices, components
from identity.matching.blocking import Candidates, block
from identity.matching.cluster import cluster
from identity.matching.compare import Pairs, compare
from identity.matching.person import COMPARISONS, Comparison
from identity.matching.prepare import prepare
from identity.matching.score import probabilities
from identity.matching.settings import MatchSettings

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
    other pairs that may be one person: for a person to decide. In both left_key < right_key, and
    evidence says how close each attribute is, without its value. `candidates` counts the pairs
    that were compared, and those that were left out with the largest blocks.
    """

    links: pa.Table
    reviews: pa.Table
    candidates: Candidates


def match(records: pa.Table, settings: MatchSettings | None = None) -> Matches:
    """Find the records of one person.

    `records` has one row per record: record_key (unique), source_key and any of
    `settings.COLUMNS`, each of them null where it is not known. Raises ValueError when a
    record_key is null or there twice. The answer does not depend on the order of the rows.
    """
    import duckdb

    settings = settings or MatchSettings()
    keys = pc.count_distinct(records["record_key"]).as_py()
    if keys != len(records):
        raise ValueError("record_key is null or not unique")
    # One thread: the sample of random pairs is then the same every time.
    with duckdb.connect(config={"threads": "1"}) as con:
        con.execute("set enable_progress_bar = false")
        people = prepare(con, records, settings)
        used = [c for c in COMPARISONS if people[c.column].null_count < len(people)]
        found, candidates = block(con, len(people), settings)
        if not used or not candidates.compared:
            return Matches(PAIRS.empty_table(), PAIRS.empty_table(), candidates)
        pairs, chance = compare(con, found, used, settings)
    probability = probabilities(people, used, pairs, chance, settings)
    links, reviews = _decided(people, pairs, probability, settings)
    return Matches(
        _answer(people, used, pairs, probability, links),
        _answer(people, used, pairs, probability, reviews),
        candidates,
    )


def _decided(
    people: pa.Table, pairs: Pairs, probability: npt.NDArray[np.float64], settings: MatchSettings
) -> tuple[Indices, Indices]:
    """Which pairs are links, and which are to be reviewed."""
    cut = settings.link_threshold
    # Most pairs are strangers whom no road of links joins: they decide nothing.
    sure = np.flatnonzero(probability > cut)
    ends = pairs.left[sure].astype(np.int64), pairs.right[sure].astype(np.int64)
    joined = components(len(people), *ends).astype(np.int32)
    inside = np.flatnonzero(joined[pairs.left] == joined[pairs.right])
    odds = np.clip(probability[inside], 1e-12, 1 - 1e-12)
    strength = np.log(odds / (1 - odds)) - np.log(cut / (1 - cut))
    ends = pairs.left[inside].astype(np.int64), pairs.right[inside].astype(np.int64)
    labels, chosen = cluster(len(people), *ends, strength, _single(people, settings))
    asked = np.flatnonzero(probability >= settings.review_threshold)
    return inside[chosen], asked[labels[pairs.left[asked]] != labels[pairs.right[asked]]]


def _single(people: pa.Table, settings: MatchSettings) -> Indices:
    """The number of each record's source where it is free of duplicates, else -1."""
    sources = people["source_key"].combine_chunks().dictionary_encode()
    free = [source in settings.duplicate_free for source in sources.dictionary.to_pylist()]
    codes = pc.fill_null(sources.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.where(np.array([*free, False])[codes], codes, -1)


def _answer(
    people: pa.Table,
    used: Sequence[Comparison],
    pairs: Pairs,
    probability: npt.NDArray[np.float64],
    chosen: Indices,
) -> pa.Table:
    keys = people["record_key"].combine_chunks()
    ends = [keys.take(pa.array(end[chosen])) for end in (pairs.left, pairs.right)]
    columns = [
        pc.min_element_wise(*ends) if len(chosen) else ends[0],
        pc.max_element_wise(*ends) if len(chosen) else ends[1],
        pa.array(np.round(probability[chosen], 6)),
        _evidence(used, pairs.levels[:, pairs.pattern[chosen]]),
    ]
    table = pa.Table.from_arrays(columns, schema=PAIRS)
    return table.sort_by([("left_key", "ascending"), ("right_key", "ascending")])


def _evidence(used: Sequence[Comparison], levels: npt.NDArray[np.int8]) -> pa.Array:
    """What agrees how closely, in words."""
    texts = [
        ", ".join(
            c.levels[level].evidence for c, level in zip(used, pair, strict=True) if level >= 0
        )
        for pair in levels.T.tolist()
    ]
    return pa.array(texts, pa.string())
