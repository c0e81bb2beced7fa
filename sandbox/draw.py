"""Random streams, identifiers and local time, all vectorised.

A stream belongs to (seed, day, name): a day can be simulated again, alone, and gives the same
rows. Local times are int64 seconds since 1970-01-01 00:00 in Asia/Ho_Chi_Minh.
"""

from __future__ import annotations

import hashlib
import zlib
from datetime import date, timedelta
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]
Strings: TypeAlias = pa.Array

DAY_SECONDS = 86_400
UTC_OFFSET_SECONDS = 7 * 3_600


def stream(seed: int, day: int, name: str) -> np.random.Generator:
    """The random generator of one day and one purpose; `day` may be negative."""
    return np.random.default_rng([seed, day + 10_000, zlib.crc32(name.encode())])


def midnight(first_day: date, day: int) -> int:
    """Local seconds at the start of simulated day number `day`."""
    return (first_day + timedelta(days=day) - date(1970, 1, 1)).days * DAY_SECONDS


def label(prefix: str, numbers: Ints, width: int = 7) -> Strings:
    """Identifiers such as `W0000042`."""
    digits = pc.utf8_lpad(pc.cast(pa.array(numbers, pa.int64()), pa.string()), width, "0")
    return pc.binary_join_element_wise(prefix, digits, "")


def label_where(prefix: str, numbers: Ints, known: Bools, width: int = 7) -> Strings:
    """Like `label`, null where not `known`."""
    return pc.if_else(pa.array(known), label(prefix, numbers, width), pa.scalar(None, pa.string()))


def moments(seconds: Ints, *, utc: bool = False, known: Bools | None = None) -> pa.Array:
    """Naive timestamps in whole seconds, local or UTC; null where not `known`."""
    shifted = np.asarray(seconds, np.int64) - (UTC_OFFSET_SECONDS if utc else 0)
    mask = None if known is None else ~known
    return pa.array(shifted, pa.int64(), mask=mask).cast(pa.timestamp("s"))


def pick(rng: np.random.Generator, weights: Any, size: int) -> Ints:
    """`size` indices drawn by `weights` (any positive numbers)."""
    edges = np.cumsum(np.asarray(weights, float))
    return np.searchsorted(edges, rng.random(size) * edges[-1], side="right").astype(np.int64)


def pick_by_row(rng: np.random.Generator, table: Any, rows: Ints) -> Ints:
    """One index per row, drawn by the weights `table[row]`."""
    drawn = np.empty(len(rows), np.int64)
    for row in np.unique(rows):
        mask = rows == row
        drawn[mask] = pick(rng, table[row], int(mask.sum()))
    return drawn


def chance(rng: np.random.Generator, probability: Any, size: int) -> Bools:
    """True with `probability` (a number or one per row)."""
    return rng.random(size) < probability


def take(values: list[str] | Strings, indices: Ints) -> Strings:
    """The strings at `indices`."""
    array = values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values)
    taken = array.take(pa.array(indices, pa.int64()))
    return taken.combine_chunks() if isinstance(taken, pa.ChunkedArray) else taken


def nulled(values: Strings, keep: Bools) -> Strings:
    """`values`, null where not `keep`."""
    return pc.if_else(pa.array(keep), values, pa.scalar(None, values.type))


def campaign_ids(seed: int, numbers: Ints) -> Strings:
    """Ten hexadecimal digits per campaign number, as e-mail platforms write them."""
    known, place = np.unique(np.asarray(numbers), return_inverse=True)
    texts = [hashlib.sha256(f"campaign-{seed}-{n}".encode()).hexdigest()[:10] for n in known]
    return pa.array(texts, pa.string()).take(pa.array(place, pa.int64()))


def uuids(seed: int, salt: int, numbers: Ints) -> Strings:
    """Random-looking identifiers in UUID form, one for each (seed, salt, number)."""
    low = _mixed(np.asarray(numbers).astype(np.uint64) + np.uint64(seed * 1_000_003 + salt))
    high = _mixed(low + np.uint64(salt))
    digits = np.stack([low, high], axis=1).tobytes().hex().encode()
    letters = np.frombuffer(digits, "S1").reshape(len(low), 32)
    form = np.full((len(low), 36), b"-", "S1")
    form[:, [i for i in range(36) if i not in (8, 13, 18, 23)]] = letters
    return pc.cast(pa.array(form.view("S36").ravel(), pa.binary()), pa.string())


def _mixed(x: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64: every input gives another output."""
    with np.errstate(over="ignore"):
        x = (x + np.uint64(0x9E3779B97F4A7C15)).astype(np.uint64)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
