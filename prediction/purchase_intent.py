"""Purchase intent: how likely a web session is to end in an order, from what came before it.

Gradient boosting on the first 80 % of the sessions by time; the rest tells how well it ranks. That
very model scores every session, so that the figure beside the scores is theirs, and the newest
sessions, the ones to act on, are scored by a model that has not seen them.
"""

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prediction import fits
from prediction.fits import Fit, Refused
from prediction.likelihood import Floats

MODEL, SEED = "purchase_intent", 20260101
FEWEST_SESSIONS, FEWEST_ORDERS, FEWEST_HELD_OUT, LOWEST_AUC = 500, 50, 10, 0.55
TRAINED_SHARE, MOST_TRAINED, MOST_WORDS = 0.8, 200_000, 30
SCORED_AT_ONCE = 20_000
FIGURES = ("holdout_auc", "holdout_top_decile_share", "holdout_order_share", "session_count",
    "order_count")  # fmt: skip
NO_FEATURES = ("session_id", "started_at", "has_order", "features")
SCHEMA = pa.schema(
    [("session_id", pa.string()), ("purchase_intent", pa.float64()), *list(fits.SCHEMA)]
)
Mask = NDArray[np.bool_]


def score(sessions: pa.Table) -> pa.Table:
    """A row per session with its score (null when refused), and a row per figure of the fit.

    `sessions`: `session_id`, `started_at`, `has_order`, `features` (a JSON object of what the
    source measured itself, or null) and any further columns of numbers, words or truth values,
    each of them known before the session's order.
    """
    keys = [("started_at", "ascending"), ("session_id", "ascending")]
    ordered = sessions.sort_by(keys)
    scores: pa.Array = pa.nulls(len(ordered), pa.float64())
    try:
        found, figures = _fit(ordered)
        scores = pa.array(found)
        fit = Fit(MODEL, figures, figures["holdout_auc"])
    except Refused as refusal:
        fit = Fit.refused(MODEL, FIGURES, str(refusal))
    scored = pa.table({"session_id": ordered["session_id"], "purchase_intent": scores})
    return pa.concat_tables([scored, fits.fit_table([fit])], promote_options="default").select(
        SCHEMA.names
    )


def _fit(sessions: pa.Table) -> tuple[Floats, dict[str, float]]:
    has_order = sessions["has_order"].fill_null(False).to_numpy(zero_copy_only=False)
    has_order = np.asarray(has_order, dtype=bool)
    edge = int(len(has_order) * TRAINED_SHARE)
    _check(has_order, edge)
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits

    trained = slice(max(0, edge - MOST_TRAINED), edge)
    matrix, is_word = _matrix(sessions, trained)
    model = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=100, max_leaf_nodes=8, early_stopping=False,
        categorical_features=is_word, random_state=SEED,
    )  # fmt: skip
    # Two threads that share busy cores wait for one another ten times as long as one works.
    with threadpool_limits(limits=1, user_api="openmp"):
        model.fit(matrix[trained], has_order[trained])
        scores = _scored(model, matrix)
    held, truth = scores[edge:], has_order[edge:]
    auc = float(roc_auc_score(truth, held))
    if auc < LOWEST_AUC:
        raise Refused(f"it ranks held-out sessions hardly better than chance (AUC {auc:.2f})")
    return scores, {
        "holdout_auc": auc,
        "holdout_top_decile_share": _top_decile_share(held, truth),
        "holdout_order_share": float(truth.mean()),
        "session_count": float(len(has_order)),
        "order_count": float(has_order.sum()),
    }


def _scored(model: Any, matrix: Floats) -> Floats:
    """Every tree goes over all rows: a part that stays in the cache takes less time."""
    starts = range(0, len(matrix), SCORED_AT_ONCE)
    parts = [model.predict_proba(matrix[at : at + SCORED_AT_ONCE])[:, 1] for at in starts]
    return np.concatenate(parts).astype(float)


def _check(has_order: Mask, edge: int) -> None:
    if len(has_order) < FEWEST_SESSIONS:
        raise Refused(f"too few sessions: {len(has_order)} of the {FEWEST_SESSIONS} needed")
    if (orders := int(has_order[:edge].sum())) < FEWEST_ORDERS:
        raise Refused(
            f"too few orders: {orders} of the {FEWEST_ORDERS} needed among the first 80 % of the "
            "sessions"
        )
    held = has_order[edge:]
    if min(held.sum(), (~held).sum()) < FEWEST_HELD_OUT:
        raise Refused("too few sessions with or without an order among the last 20 % to judge by")


def _top_decile_share(scores: Floats, truth: Mask) -> float:
    best = np.argsort(-scores, kind="stable")[: max(1, len(scores) // 10)]
    return float(truth[best].sum() / truth.sum())


def _matrix(sessions: pa.Table, trained: slice) -> tuple[Floats, list[bool]]:
    """A column of numbers per feature, words numbered by how common they were in training."""
    named = {n: sessions[n] for n in sessions.column_names if n not in NO_FEATURES}
    named |= {f"features.{name}": column for name, column in _told(sessions["features"]).items()}
    columns, is_word = [], []
    for _, column in sorted(named.items()):
        words = pa.types.is_string(column.type)
        numbers = _numbered(column, trained) if words else _numbers(column)
        if not np.isnan(numbers[trained]).all():  # never told: nothing can be learned from it
            columns.append(numbers)
            is_word.append(words)
    if not columns:
        raise Refused("nothing is known of the sessions before their orders")
    return np.column_stack(columns), is_word


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


def _numbered(column: pa.ChunkedArray, trained: slice) -> Floats:
    """The commonest words of the training part as 0, 1, ...; the rest as one more; null as none."""
    counts = pc.value_counts(column[trained].drop_null()).to_pylist()
    ranked = sorted(counts, key=lambda found: (-found["counts"], found["values"]))
    words = pa.array([found["values"] for found in ranked[:MOST_WORDS]], pa.string())
    numbers = pc.fill_null(pc.index_in(column, value_set=words), MOST_WORDS)
    known = pc.if_else(column.is_valid(), numbers, None).cast(pa.float64())
    return np.asarray(known.to_numpy(zero_copy_only=False), dtype=float)
