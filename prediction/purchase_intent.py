"""Purchase intent: how likely a web session is to end in an order, from what came before it.

Gradient boosting on the first 80 % of the sessions by time; the rest tells how well it ranks. That
very model scores every session, so that the figure beside the scores is theirs, and the newest
sessions, the ones to act on, are scored by a model that has not seen them.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prediction import fits
from prediction.fits import Fit, Refused
from prediction.likelihood import Floats

MODEL, SEED = "purchase_intent", 20260101
FEWEST_SESSIONS, FEWEST_ORDERS = 500, 50
TRAINED_SHARE, MOST_TRAINED, MOST_WORDS = 0.8, 200_000, 30
SCORED_AT_ONCE = 20_000
FIGURES = ("holdout_auc", "holdout_top_decile_share", "holdout_order_share", "session_count",
    "order_count")  # fmt: skip
NO_FEATURES = ("session_id", "started_at", "has_order", "features")
SCHEMA = pa.schema(
    [("session_id", pa.string()), ("purchase_intent", pa.float64()), *list(fits.SCHEMA)]
)
Mask = NDArray[np.bool_]


def score(sessions: pa.Table, *, lowest_auc: float, fewest_held_out: int) -> pa.Table:
    """A row per session with its score (null when refused), and a row per figure of the fit.

    `sessions`: `session_id`, `started_at`, `has_order`, `features` (a JSON object of what the
    source measured itself, or null) and any further columns of numbers, words or truth values,
    each of them known before the session's order. Refused below `lowest_auc` (area under the ROC
    curve), and where fewer than `fewest_held_out` of the sessions it is judged on have an order, or
    have none.
    """
    keys = [("started_at", "ascending"), ("session_id", "ascending")]
    # Rows are fetched in this order a part at a time: a second whole table would be gigabytes.
    order = pc.sort_indices(sessions, sort_keys=keys)
    scores: pa.Array = pa.nulls(len(order), pa.float64())
    try:
        found, figures = _fit(_with_told(sessions), order, fewest_held_out)
        if (auc := figures["holdout_auc"]) < lowest_auc:
            raise Refused(
                "it ranks held-out sessions hardly better than chance "
                f"(AUC {auc:.3f}, {lowest_auc:.2f} needed)"
            )
        scores = pa.array(found)
        fit = Fit(MODEL, figures, auc)
    except Refused as refusal:
        fit = Fit.refused(MODEL, FIGURES, str(refusal))
    in_order = sessions["session_id"].take(order)
    scored = pa.table({"session_id": in_order, "purchase_intent": scores})
    return pa.concat_tables([scored, fits.fit_table([fit])], promote_options="default").select(
        SCHEMA.names
    )


def _fit(
    sessions: pa.Table, order: pa.Array, fewest_held_out: int
) -> tuple[Floats, dict[str, float]]:
    told = sessions["has_order"].take(order).fill_null(False).to_numpy(zero_copy_only=False)
    has_order = np.asarray(told, dtype=bool)
    edge = int(len(has_order) * TRAINED_SHARE)
    _check(has_order, edge, fewest_held_out)
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits

    trained = slice(max(0, edge - MOST_TRAINED), edge)
    known = sessions.take(order[trained])
    features = _features(known)
    model = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=100, max_leaf_nodes=8, early_stopping=False,
        categorical_features=[one.is_word for one in features], random_state=SEED,
    )  # fmt: skip
    # Two threads that share busy cores wait for one another ten times as long as one works.
    with threadpool_limits(limits=1, user_api="openmp"):
        model.fit(_matrix(known, features), has_order[trained])
        scores = _scored(model, sessions, order, features)
    held, truth = scores[edge:], has_order[edge:]
    return scores, {
        "holdout_auc": float(roc_auc_score(truth, held)),
        "holdout_top_decile_share": _top_decile_share(held, truth),
        "holdout_order_share": float(truth.mean()),
        "session_count": float(len(has_order)),
        "order_count": float(has_order.sum()),
    }


def _scored(
    model: Any, sessions: pa.Table, order: pa.Array, features: Sequence["_Feature"]
) -> Floats:
    """Every tree goes over all rows: a part that stays in the cache takes less time."""
    parts = []
    for at in range(0, len(order), SCORED_AT_ONCE):
        matrix = _matrix(sessions.take(order[at : at + SCORED_AT_ONCE]), features)
        parts.append(model.predict_proba(matrix)[:, 1])
    return np.concatenate(parts).astype(float)


def _check(has_order: Mask, edge: int, fewest_held_out: int) -> None:
    if len(has_order) < FEWEST_SESSIONS:
        raise Refused(f"too few sessions: {len(has_order)} of the {FEWEST_SESSIONS} needed")
    if (orders := int(has_order[:edge].sum())) < FEWEST_ORDERS:
        raise Refused(
            f"too few orders: {orders} of the {FEWEST_ORDERS} needed among the first 80 % of the "
            "sessions"
        )
    held = has_order[edge:]
    if min(held.sum(), (~held).sum()) < fewest_held_out:
        raise Refused("too few sessions with or without an order among the last 20 % to judge by")


def _top_decile_share(scores: Floats, truth: Mask) -> float:
    best = np.argsort(-scores, kind="stable")[: max(1, len(scores) // 10)]
    return float(truth[best].sum() / truth.sum())


@dataclass(frozen=True)
class _Feature:
    """A column, and the words that training met most often in it; None for numbers."""

    name: str
    words: pa.Array | None

    @property
    def is_word(self) -> bool:
        return self.words is not None

    def numbers(self, part: pa.Table) -> Floats:
        """A number a row: of a word its place among the commonest, one more for the others."""
        column = part[self.name]
        if self.words is None:
            return _numbers(column)
        places = pc.fill_null(pc.index_in(column, value_set=self.words), MOST_WORDS)
        return _numbers(pc.if_else(column.is_valid(), places, None))


def _features(known: pa.Table) -> list[_Feature]:
    """What training can learn from, by name; not what was never told there."""
    names = sorted(name for name in known.column_names if name not in NO_FEATURES)
    features = []
    for name in names:
        is_text = pa.types.is_string(known.schema.field(name).type)
        feature = _Feature(name, _commonest(known[name]) if is_text else None)
        if not np.isnan(feature.numbers(known)).all():
            features.append(feature)
    if not features:
        raise Refused("nothing is known of the sessions before their orders")
    return features


def _matrix(part: pa.Table, features: Sequence[_Feature]) -> Floats:
    return np.column_stack([feature.numbers(part) for feature in features])


def _with_told(sessions: pa.Table) -> pa.Table:
    """With a column `features.name` for each that a source measured itself."""
    for name, column in _told(sessions["features"]).items():
        sessions = sessions.append_column(f"features.{name}", column)
    return sessions


def _told(features: pa.ChunkedArray) -> dict[str, pa.ChunkedArray]:
    """The columns of the JSON objects that a source delivered: numbers, truth values and words."""
    if features.null_count == len(features):
        return {}
    from pyarrow import json

    lines = features.fill_null("{}").to_pylist()
    text = "\n".join(line.replace("\n", " ") for line in lines).encode()
    reading = json.ReadOptions(use_threads=False, block_size=len(text) + 1)
    try:
        table = json.read_json(io.BytesIO(text), read_options=reading)
    except pa.ArrowInvalid:
        raise Refused(
            "the sessions' features are no JSON objects, or one name holds numbers here and words "
            "there"
        ) from None
    usable = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_string)
    return {
        name: table[name]
        for name in table.column_names
        if any(is_kind(table[name].type) for is_kind in usable)
    }


def _numbers(column: pa.ChunkedArray) -> Floats:
    numbers = column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column
    floats = numbers.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return np.asarray(floats, dtype=float)


def _commonest(column: pa.ChunkedArray) -> pa.Array:
    counts = pc.value_counts(column.drop_null()).to_pylist()
    ranked = sorted(counts, key=lambda found: (-found["counts"], found["values"]))
    return pa.array([found["values"] for found in ranked[:MOST_WORDS]], pa.string())
