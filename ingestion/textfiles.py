"""CSV and lines at the level of bytes: counted, split and cleaned independently of DuckDB."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from isal import igzip, isal_zlib

from khach.errors import KhachError

_CHUNK = 1 << 20
LONGEST_LINE = 10_000_000
# What a gzip file that is damaged or cut off raises.
DAMAGED: tuple[type[Exception], ...]
DAMAGED = (EOFError, igzip.BadGzipFile, isal_zlib.error)  # type: ignore[assignment]
csv.field_size_limit(LONGEST_LINE)  # of the process; Python's own is 131,072 characters
_LONGEST_RECORD = 1_000  # lines; a quote that is never closed must not swallow the file


@dataclass(frozen=True)
class Survey:
    """Lines of a text file, and whether DuckDB's strict reader can be trusted with its bytes."""

    lines: int
    is_clean: bool
    has_quotes: bool


@dataclass(frozen=True)
class Record:
    """One CSV record (or one line): its 1-based number, its bytes, and why it is refused."""

    number: int
    original: bytes
    reason: str | None = None


def open_bytes(path: Path) -> io.BufferedReader:
    """The file's bytes, decompressed when its name ends in .gz."""
    if path.name.lower().endswith(".gz"):
        return io.BufferedReader(igzip.open(path), _CHUNK)  # type: ignore[no-untyped-call]
    return path.open("rb")


def survey(path: Path, name: str) -> Survey:
    """Count lines and look for what a strict reader trips over.

    KhachError when a gzip file is damaged or cut off.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    lines = returns = pairs = 0
    is_clean, has_quotes, last = True, False, b""
    try:
        with open_bytes(path) as content:
            while chunk := content.read(_CHUNK):
                lines += chunk.count(b"\n")
                returns += chunk.count(b"\r")
                pairs += chunk.count(b"\r\n") + (last == b"\r" and chunk[:1] == b"\n")
                has_quotes = has_quotes or b'"' in chunk
                is_clean = is_clean and b"\x01" not in chunk and b"\x00" not in chunk
                if is_clean:
                    is_clean = _decodes(decoder, chunk)
                last = chunk[-1:]
        is_clean = is_clean and _decodes(decoder, b"", final=True)
    except DAMAGED:
        raise incomplete(name) from None
    lines += last not in (b"", b"\n")
    is_clean = is_clean and returns == pairs and (pairs in (0, lines, lines - 1))
    is_clean = is_clean and not path.name.endswith((".GZ", ".Gz", ".gZ"))  # no gzip to DuckDB
    return Survey(lines, is_clean, has_quotes)


def incomplete(name: str) -> KhachError:
    """What to say when a gzip file is damaged or cut off."""
    return KhachError(
        f"{name} is not a complete gzip file", fix="deliver the file again, then run again"
    )


def csv_header(path: Path, delimiter: str) -> list[str]:
    """The first record's fields; empty for an empty file."""
    with open_bytes(path) as content:
        text = io.TextIOWrapper(content, encoding="utf-8-sig", errors="replace", newline="")
        return next(csv.reader(text, delimiter=delimiter), [])


def count_records(path: Path, delimiter: str) -> int:
    """CSV records after the header, with newlines inside quotes understood."""
    with open_bytes(path) as content:
        text = io.TextIOWrapper(content, encoding="utf-8", errors="replace", newline="")
        return max(sum(1 for _ in csv.reader(text, delimiter=delimiter)) - 1, 0)


def csv_records(path: Path, delimiter: str, width: int) -> Iterator[Record]:
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
            if reason is None and len(fields or []) != width:
                reason = f"{len(fields or [])} fields instead of {width}"
            if reason is not None and len(source.taken) > 1:
                source.push_back()
            original = b"".join(source.taken)
            yield Record(number, original, reason or unreadable(original))


def csv_fields(original: bytes, delimiter: str) -> list[str] | None:
    """The fields of one record; None when the bytes are not exactly one readable record."""
    if unreadable(original):
        return None
    text = io.StringIO(original.decode("utf-8"), newline="")
    try:
        records = list(csv.reader(text, delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return records[0] if len(records) == 1 else None


def lines(path: Path) -> Iterator[Record]:
    """Every line without its end; one that is not readable text has a reason."""
    with open_bytes(path) as content:
        for number, line in enumerate(content, start=1):
            text = line.rstrip(b"\r\n")
            yield Record(number, text, unreadable(text))


def unreadable(original: bytes) -> str | None:
    """Why a line cannot be read by a strict reader; null when it can."""
    if b"\x00" in original or b"\x01" in original:
        return "a control character"
    return no_text(original)


def no_text(original: bytes) -> str | None:
    """Why a line is no text at all; null when it is."""
    if len(original) > LONGEST_LINE:
        return f"longer than {LONGEST_LINE:,} bytes"
    try:
        original.decode("utf-8")
    except UnicodeDecodeError as problem:
        return f"invalid UTF-8 at byte {problem.start + 1}"
    return None


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


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
