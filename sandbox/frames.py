"""Frames: columns of numbers (a dict of equally long arrays), for what is still to come."""

from __future__ import annotations

from typing import Any

import numpy as np

Frame = dict[str, np.ndarray]


def frame(columns: tuple[str, ...]) -> Frame:
    """An empty frame with these int64 columns."""
    return {column: np.empty(0, np.int64) for column in columns}


def rows(data: Frame) -> int:
    """How many rows the frame has."""
    return len(next(iter(data.values())))


def where(data: Frame, mask: Any) -> Frame:
    """The rows under a mask or at indices."""
    return {name: column[mask] for name, column in data.items()}


def append(data: Frame, **columns: Any) -> Frame:
    """`data` with rows added; numbers are repeated to the length of the arrays."""
    arrays = [np.atleast_1d(np.asarray(value)) for value in columns.values()]
    count = max((len(a) for a in arrays if len(a) != 1), default=1)
    if any(len(a) == 0 for a in arrays):
        return data
    added = dict(zip(columns, arrays, strict=True))
    if added.keys() != data.keys():
        raise KeyError(f"columns differ: {sorted(added.keys() ^ data.keys())}")
    return {
        name: np.concatenate([data[name], np.broadcast_to(added[name], count).astype(np.int64)])
        for name in data
    }


def split_due(data: Frame, before: int, column: str = "at") -> tuple[Frame, Frame]:
    """(rows whose `column` lies before `before`, the rest)."""
    due = data[column] < before
    return where(data, due), where(data, ~due)
