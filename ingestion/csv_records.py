"""CSV at the level of bytes: counted, split into records and cleaned independently of DuckDB."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ingestion.textfiles import LONGEST_LINE, Record, open_bytes, unreadable
from khach.errors import KhachError

csv.field_size_limit(LONGEST_LINE)  # of the process; Python's own is 131,072 characters
_LONGEST_RECORD = 1_000  # lines; a quote that is never closed must not swallow the file


def header(path: Path, delimiter: str) -> list[str]:
    """The first record's fields; empty for an empty file. What is no UTF-8 has U+FFFD instead."""
    with open_bytes(path) as content:
        text = io.TextIOWrapper(content, encoding="utf-8-sig", errors="replace", newline="")
        return next(csv.reader(text, delimiter=delimiter), [])


def count_records(path: Path, delimiter: str) -> tuple[int, int]:
    """CSV records after the header, and how many of them are empty in all fields.

    Newlines inside quotes are understood; blank lines are no records.
    """
    with open_bytes(path) as content:
        text = io.TextIOWrapper(content, encoding="utf-8", errors="replace", newline="")
        records = (fields for fields in csv.reader(text, delimiter=delimiter) if fields)
        next(records, None)
        empty = Counter(not any(fields) for fields in records)
        return empty.total(), empty[True]


def records(path: Path, delimiter: str, width: int) -> Iterator[Record]:
    """Every record after the header; one that is no record of `width` fields has a reason.

    A quote that is never closed spoils its own line only: reading goes on with the next line.
    """
    with open_bytes(path) as content:
        source = _Lines(content)
        try:
            next(csv.reader(source, delimiter=delimiter, strict=True), None)
        except csv.Error:
            raise KhachError(
                f"{path.name}, line 1: no record; lines may end in a carriage return alone",
                fix="deliver it with line feeds, and with quotes that are closed",
            ) from None
        number = 0
        while True:
            source.begin()
            number += 1
            try:
                fields = next(csv.reader(source, delimiter=delimiter, strict=True), None)
                reason = None
            except csv.Error:
                fields, reason = [], "the quotes of the line are not closed or not escaped"
            if fields is None and not source.taken:
                return
            if reason is None and not any(fields or []):
                number -= not fields
                yield Record(number, b"".join(source.taken), is_blank=True)
                continue
            if reason is None and len(fields or []) != width:
                reason = f"{len(fields or [])} fields instead of {width}"
            if reason is not None and len(source.taken) > 1:
                source.push_back()
            original = b"".join(source.taken)
            is_blank = not original.strip()
            yield Record(number, original, reason or unreadable(original), is_blank)


def fields_of(original: bytes, delimiter: str) -> list[str] | None:
    """The fields of one record; None when the bytes are not exactly one readable record."""
    if unreadable(original):
        return None
    text = io.StringIO(original.decode("utf-8"), newline="")
    try:
        records = list(csv.reader(text, delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return records[0] if len(records) == 1 else None


class _Lines(Iterator[str]):
    """Lines for csv.reader that remembers the bytes it gave out, and can take some back."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content
        self._returned: list[bytes] = []
        self.taken: list[bytes] = []

    def begin(self) -> None:
        self.taken = []

    def push_back(self) -> None:
        """Keep the first line of the record, give the others out again."""
        self._returned = self.taken[1:] + self._returned
        self.taken = self.taken[:1]

    def __next__(self) -> str:
        if len(self.taken) >= _LONGEST_RECORD:
            raise csv.Error("a record without an end")
        line = self._returned.pop(0) if self._returned else self._content.readline()
        if not line:
            raise StopIteration
        self.taken.append(line)
        return line.decode("utf-8", "surrogateescape")
