"""Text files at the level of bytes: counted, split into lines, independently of DuckDB."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isal import igzip, isal_zlib

from khach.errors import KhachError

_CHUNK = 1 << 20
NOT_UTF8 = "invalid UTF-8"
LONGEST_LINE = 10_000_000
# What a gzip file that is damaged or cut off raises.
DAMAGED: tuple[type[Exception], ...]
DAMAGED = (EOFError, igzip.BadGzipFile, isal_zlib.error)  # type: ignore[assignment]


@dataclass(frozen=True)
class Survey:
    """Lines of a text file, and whether DuckDB's strict reader can be trusted with its bytes.

    `blank_end` of the lines are blank ones at the end, which it does not see.
    """

    lines: int
    is_clean: bool
    has_quotes: bool
    blank_end: int


@dataclass(frozen=True)
class Record:
    """One CSV record (or one line): its 1-based number, its bytes, and why it is refused.

    A blank line has no number of its own: DuckDB's reader does not see it either.
    """

    number: int
    original: bytes
    reason: str | None = None
    is_blank: bool = False


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
    is_clean, has_quotes, last, ends = True, False, b"", 0
    try:
        with open_bytes(path) as content:
            while chunk := content.read(_CHUNK):
                lines += chunk.count(b"\n")
                returns += chunk.count(b"\r")
                pairs += chunk.count(b"\r\n") + (last == b"\r" and chunk[:1] == b"\n")
                has_quotes = has_quotes or b'"' in chunk
                text = chunk.rstrip(b"\r\n")
                ends = chunk.count(b"\n", len(text)) + (0 if text else ends)
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
    return Survey(lines, is_clean, has_quotes, max(ends - 1, 0))


def incomplete(name: str) -> KhachError:
    """What to say when a gzip file is damaged or cut off."""
    return KhachError(
        f"{name} is not a complete gzip file", fix="deliver the file again, then run again"
    )


def lines(path: Path) -> Iterator[Record]:
    """Every line without its end; one that is not readable text has a reason."""
    with open_bytes(path) as content:
        for number, line in enumerate(content, start=1):
            text = line.rstrip(b"\r\n")
            yield Record(number, text, unreadable(text))


def unreadable(original: bytes) -> str | None:
    """Why a line cannot be read by a strict reader; null when it can."""
    if b"\x00" in original or b"\x01" in original:
        return "a control character, or bytes that its encoding does not have"
    return no_text(original)


def no_text(original: bytes) -> str | None:
    """Why a line is no text at all; null when it is."""
    if len(original) > LONGEST_LINE:
        return f"longer than {LONGEST_LINE:,} bytes"
    try:
        original.decode("utf-8")
    except UnicodeDecodeError as problem:
        return f"{NOT_UTF8} at byte {problem.start + 1}"
    return None


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True
