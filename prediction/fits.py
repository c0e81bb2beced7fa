"""What a fit leaves behind: its parameters and how well it did, or why it was refused."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

SCHEMA = pa.schema(
    [
        ("model", pa.string()),
        ("parameter", pa.string()),
        ("value", pa.float64()),
        ("holdout_metric", pa.float64()),
        ("is_refused", pa.bool_()),
        ("reason", pa.string()),
    ]
)


class Refused(Exception):  # noqa: N818  it is no error: the data does not allow the model
    """The data does not allow a model; the message says why, in words and without names."""


@dataclass(frozen=True)
class Fit:
    """One model: figures by name (null where there is none), and its headline on held-out data."""

    model: str
    figures: Mapping[str, float | None]
    holdout_metric: float | None = None
    reason: str | None = None

    @classmethod
    def refused(cls, model: str, parameters: Iterable[str], reason: str) -> "Fit":
        """A model that the data does not allow: its parameters without values."""
        return cls(model, dict.fromkeys(parameters), None, reason)


def fit_table(fits: Iterable[Fit]) -> pa.Table:
    """Grain: model x parameter, as `model_fits` has it."""
    rows = [
        (fit.model, name, value, fit.holdout_metric, fit.reason is not None, fit.reason)
        for fit in fits
        for name, value in fit.figures.items()
    ]
    columns = list(zip(*rows, strict=True)) or [()] * len(SCHEMA)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], SCHEMA)


def figure(fits: pa.Table, model: str, parameter: str) -> float | None:
    """A figure of a table of fits; None when the model was refused."""
    for row in fits.to_pylist():
        if (row["model"], row["parameter"]) == (model, parameter):
            return None if row["is_refused"] else row["value"]
    return None
