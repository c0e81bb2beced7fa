"""What a caller decides about matching; everything has a default that suits persons."""

from dataclasses import dataclass

COLUMNS = (
    "given_name", "family_name", "full_name", "birth_date", "birth_date_text", "birth_year",
    "gender", "email", "phone", "address", "postal_code", "city", "province", "national_id",
)  # fmt: skip


@dataclass(frozen=True)
class MatchSettings:
    """How to match records; the defaults need no knowledge of the data.

    `link_threshold`: the probability from which two records are linked.
    `review_threshold`: the probability from which a pair that is not linked is for a person to
    decide. `duplicate_free`: key spaces (values of source_key) that hold every person at most
    once. `left_out`: columns of records that must not be used. `pairs_per_record`: how many
    candidate pairs each blocking rule may yield for a record on average; its largest blocks are
    left out until it keeps to that. `sample_pairs`: random pairs from which chance agreement is
    learned; smaller data is counted whole. `seed`: of that sample. `threads`: how many compare.
    """

    link_threshold: float = 0.7
    review_threshold: float = 0.2
    duplicate_free: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    pairs_per_record: int = 8
    sample_pairs: int = 200_000
    seed: int = 1
    threads: int = 2

    def __post_init__(self) -> None:
        if not 0 < self.review_threshold <= self.link_threshold < 1:
            raise ValueError("0 < review_threshold <= link_threshold < 1 does not hold")
        if unknown := self.left_out.difference(COLUMNS):
            raise ValueError(f"left_out names no column of records: {', '.join(sorted(unknown))}")
