"""Rows that could not be landed: `quarantine/<source>/<table>/<delivered file>.ndjson`.

A file is rewritten whole when its delivery is read again, so that nothing is counted twice. Each
record can be read again by itself (`ingestion.replay`), also when the delivery is long gone.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from khach.environment import Environment

# What the original bytes are: names = a CSV record under this header; names with DuckDB types = a
# JSON object of typed values; None = a line, or an item of a page, that says itself what it is.
Columns = Sequence[str] | Mapping[str, str] | None


@dataclass(frozen=True)
class BadRow:
    """A refused row: its 1-based line (or record) in the file, why, and its original bytes.

    `about` is the key of what it tells, where it says one that can be read.
    """

    line: int
    reason: str
    original: bytes
    about: str | None = None


@dataclass(frozen=True)
class QuarantinedRow:
    """A refused row as it is kept; two rows are the same when all but the reason is."""

    table: str
    file: str
    bad: BadRow
    columns: Columns = None

    @property
    def key(self) -> tuple[str, str, int, bytes]:
        """Table, file, line and bytes: what the row is known by."""
        return self.table, self.file, self.bad.line, self.bad.original

    def record(self) -> dict[str, Any]:
        """The row as a JSON object, without its table."""
        found = {
            "file": self.file,
            "line": self.bad.line,
            "reason": self.bad.reason,
            "original": base64.b64encode(self.bad.original).decode("ascii"),
        }
        found |= {} if self.bad.about is None else {"about": self.bad.about}
        return found if self.columns is None else found | {"columns": self.columns}

    @classmethod
    def from_record(cls, table: str, record: Mapping[str, Any]) -> QuarantinedRow:
        """The row of a JSON object."""
        original = base64.b64decode(record["original"])
        bad = BadRow(record["line"], record["reason"], original, record.get("about"))
        return cls(table, record["file"], bad, record.get("columns"))


def quarantine_path(env: Environment, source: str, table: str, file: str) -> Path:
    """Where the refused rows of one delivered file of one table are kept."""
    return env.quarantine / source / table / f"{file}.ndjson"


def write_quarantine(
    env: Environment,
    source: str,
    table: str,
    file: str,
    rows: Iterable[BadRow],
    *,
    columns: Columns = None,
) -> None:
    """Replace the quarantine of one delivered file; no rows removes it."""
    kept = [QuarantinedRow(table, file, row, columns) for row in rows]
    replace_quarantine(env, source, table, file, kept)


def replace_quarantine(
    env: Environment, source: str, table: str, file: str, rows: Iterable[QuarantinedRow]
) -> None:
    """The same for rows that were in a quarantine before."""
    path = quarantine_path(env, source, table, file)
    found = sorted(rows, key=lambda row: row.bad.line)
    if not found:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as out:
        for row in found:
            out.write(json.dumps(row.record(), ensure_ascii=False) + "\n")
        out.flush()
        os.fsync(out.fileno())
    partial.replace(path)


def forget_in_other_files(
    env: Environment,
    source: str,
    reading: tuple[str, str],
    rows: Iterable[BadRow],
    told: Callable[[Collection[str]], Collection[str]],
) -> None:
    """What a reading (table and file) told anew is in no other file of the table.

    That are rows refused again, and the keys of which `told` says that a row passed: they were put
    right at the source. A killed run leaves them in both; the next reading is of the same file and
    calls this again.
    """
    held: dict[str, list[QuarantinedRow]] = {}
    for row in read_quarantine(env, source):
        if row.table == reading[0] and row.file != reading[1]:
            held.setdefault(row.file, []).append(row)
    if not held:
        return
    refused = list(rows)
    again = {row.original for row in refused}
    about = {row.bad.about for before in held.values() for row in before if row.bad.about}
    newer = {row.about for row in refused if row.about} | set(told(about))
    for name, before in held.items():
        kept = [
            row for row in before if row.bad.original not in again and row.bad.about not in newer
        ]
        if len(kept) < len(before):
            replace_quarantine(env, source, reading[0], name, kept)


def read_quarantine(env: Environment, source: str) -> list[QuarantinedRow]:
    """Everything in the quarantine of a source, by table, file and line."""
    folder = env.quarantine / source
    return [
        QuarantinedRow.from_record(path.relative_to(folder).parts[0], json.loads(line))
        for path in sorted(folder.rglob("*.ndjson"))
        for line in path.read_text(encoding="utf-8").split("\n")
        if line
    ]
