"""Rows that could not be landed: `quarantine/<source>/<table>/<delivered file>.ndjson`.

A file is rewritten whole when its delivery is read again, so that nothing is counted twice.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from khach.environment import Environment


@dataclass(frozen=True)
class BadRow:
    """A refused row: its 1-based line (or record) in the file, why, and its original bytes."""

    line: int
    reason: str
    original: bytes


def quarantine_path(env: Environment, source: str, table: str, file: str) -> Path:
    """Where the refused rows of one delivered file of one table are kept."""
    return env.quarantine / source / table / f"{file}.ndjson"


def write_quarantine(
    env: Environment, source: str, table: str, file: str, rows: Iterable[BadRow]
) -> None:
    """Replace the quarantine of one delivered file; no rows removes it."""
    path = quarantine_path(env, source, table, file)
    found: Sequence[BadRow] = sorted(rows, key=lambda row: row.line)
    if not found:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as out:
        for row in found:
            record = {
                "file": file,
                "line": row.line,
                "reason": row.reason,
                "original": base64.b64encode(row.original).decode("ascii"),
            }
            out.write(json.dumps(record, ensure_ascii=False) + "\n")
        out.flush()
        os.fsync(out.fileno())
    partial.replace(path)
