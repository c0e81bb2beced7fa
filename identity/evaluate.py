"""How well resolution did, against truth: pairwise precision, recall and F1."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class Evaluation(NamedTuple):
    """Pairs of records: how many truly belong together, were put together, and both."""

    true_pairs: int
    proposed_pairs: int
    correct_pairs: int

    @property
    def precision(self) -> float:
        """Share of the pairs put together that belong together; 1 when none was."""
        return self.correct_pairs / self.proposed_pairs if self.proposed_pairs else 1.0

    @property
    def recall(self) -> float:
        """Share of the pairs that belong together that were put together; 1 when none does."""
        return self.correct_pairs / self.true_pairs if self.true_pairs else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def evaluate(resolved: pa.Table, truth: pa.Table) -> Evaluation:
    """Compare two tables with the columns record_id and entity_id, over the records of both.

    A null entity_id stands for nobody else: the record is in no pair. Raises ValueError when a
    record that both tables have is in one of them twice. Counting is by groups, never pair by pair.
    """
    ours = resolved.select(["record_id", "entity_id"]).rename_columns(["record_id", "ours"])
    theirs = truth.select(["record_id", "entity_id"]).rename_columns(["record_id", "theirs"])
    both = theirs.join(ours, keys="record_id", join_type="inner")
    if pc.count_distinct(both["record_id"]).as_py() != len(both):
        raise ValueError("record_id is not unique")
    return Evaluation(
        true_pairs=_pairs(both, "theirs"),
        proposed_pairs=_pairs(both, "ours"),
        correct_pairs=_pairs(both, "theirs", "ours"),
    )


def _pairs(records: pa.Table, *keys: str) -> int:
    """How many pairs of records agree in all `keys`, nulls agreeing with nothing."""
    named = records
    for key in keys:
        named = named.filter(pc.is_valid(named[key]))
    sizes = named.group_by(list(keys)).aggregate([([], "count_all")])["count_all"].to_numpy()
    return int((sizes.astype(np.int64) * (sizes - 1) // 2).sum())
