"""Pairs found by likeness as one table: links, and questions for a person."""

from collections.abc import Iterable

import pyarrow as pa

SCHEMA = pa.schema(
    [
        ("left_key", pa.string()),
        ("right_key", pa.string()),
        ("probability", pa.float64()),
        ("evidence", pa.string()),
        ("is_link", pa.bool_()),
    ]
)

# What namesakes have in common, too.
COMMON = ("given name", "family name", "full name", "names", "gender", "province")


def likely_pairs(
    records: pa.Table,
    *,
    link_at: float,
    review_at: float,
    duplicate_free: Iterable[str] = (),
    leave_out: Iterable[str] = (),
) -> pa.Table:
    """Match `records` (identity.matching.match); none when there are fewer than two.

    Pairs at least as probable as `link_at` are links, those from `review_at` on are questions. What
    agrees in name, gender and province alone is a question, however rare the name.
    Sources in `duplicate_free` have one record of a person at most; columns in `leave_out` are not
    compared.
    """
    if len(records) < 2:
        return SCHEMA.empty_table()
    # Splink takes a second to import.
    from identity.matching import MatchSettings, match

    found = match(
        records,
        MatchSettings(
            link_threshold=link_at,
            review_threshold=review_at,
            duplicate_free=frozenset(duplicate_free),
            left_out=frozenset(leave_out),
        ),
    )
    links = found.links.append_column("is_link", _tells_namesakes_apart(found.links["evidence"]))
    reviews = found.reviews.append_column("is_link", pa.repeat(False, len(found.reviews)))
    return pa.concat_tables([links, reviews]).select(SCHEMA.names).cast(SCHEMA)


def _tells_namesakes_apart(evidence: pa.ChunkedArray) -> pa.Array:
    """Whether something agrees (equal, close or similar) beside what is common."""
    told = [
        any(
            not part.endswith("different") and not part.startswith(COMMON)
            for part in text.split(", ")
        )
        for text in evidence.to_pylist()
    ]
    return pa.array(told, pa.bool_())
