"""Text files that are not UTF-8 from their first line on, as copies that are.

Readers of text know UTF-8 with the header in front, and have a fast way for it. Everything else is
turned into that here, as a stream; a file that is so already is read where it lies.
"""

from __future__ import annotations

import codecs
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from ingestion import textfiles
from ingestion.json_arrays import is_array, write_lines
from ingestion.readers import format_of
from ingestion.text_encoding import as_utf8, encoding_of, is_utf8
from ingestion.textfiles import open_bytes
from ingestion.zip_files import open_member
from khach.errors import ConfigError, KhachError

if TYPE_CHECKING:
    from ingestion.delivered import LocalFile
    from ingestion.file_layout import FileLayout

_CHUNK = 1 << 20
_HEAD = 4096
_JSON = (".json", ".json.gz")


@contextmanager
def plain_files(
    files: Sequence[LocalFile], layout: FileLayout, staging: Path
) -> Iterator[list[LocalFile]]:
    """The files as readers know them, under their own names; copies last as long as the context.

    Raises ConfigError when the layout does not fit a file, KhachError when one is damaged.
    """
    folder = Path(mkdtemp(prefix="plain-", dir=staging))
    try:
        yield [_plain(file, layout, folder / str(n)) for n, file in enumerate(files)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _plain(file: LocalFile, layout: FileLayout, target: Path) -> LocalFile:
    kind = format_of(file.name)
    if kind not in ("csv", "ndjson"):
        return file
    is_zip = file.name.lower().endswith(".zip")
    try:
        with open_member(file.path, file.name) if is_zip else open_bytes(file.path) as content:
            head = content.read(_HEAD)
            encoding = encoding_of(head, layout.encoding)
            is_json = file.name.lower().endswith(_JSON)
            if not is_zip and (not head or _is_plain(head, encoding, layout, kind, is_json)):
                return file
            pieces = chain([head], iter(lambda: content.read(_CHUNK), b""))
            with target.open("wb") as out:
                out.writelines(_text(pieces, encoding, kind, layout.header_row or 1, file.name))
    except textfiles.DAMAGED:
        raise textfiles.incomplete(file.name) from None
    return replace(file, path=_lines_of(target, file.name) if is_json else target)


def _is_plain(head: bytes, encoding: str, layout: FileLayout, kind: str, is_json: bool) -> bool:
    starts = head.removeprefix(codecs.BOM_UTF8)[:1]
    is_first = layout.header_row in (None, 1) and not (kind == "csv" and starts in (b"\r", b"\n"))
    return is_utf8(encoding) and is_first and not is_json


def _lines_of(path: Path, name: str) -> Path:
    """A .json file holds JSON lines or one array of objects; the latter becomes lines."""
    with path.open("rb") as content:
        head = content.read(_HEAD)
    if head.lstrip().split(b"\n", 1)[0].strip() == b"{":
        raise KhachError(
            f"{name} is one JSON object over several lines, not an array of rows",
            fix="deliver the array of rows alone, or one object a line",
        )
    if not is_array(head):
        return path
    lines = path.with_suffix(".lines")
    write_lines(path, lines, name)
    path.unlink()
    return lines


def _text(
    pieces: Iterable[bytes], encoding: str, kind: str, first: int, name: str
) -> Iterator[bytes]:
    pieces = _without_mark(pieces) if is_utf8(encoding) else as_utf8(pieces, encoding)
    if first > 1:
        pieces = _from_line(pieces, first, name)
    return _from_text(pieces) if kind == "csv" else iter(pieces)


def _without_mark(pieces: Iterable[bytes]) -> Iterator[bytes]:
    pieces = iter(pieces)
    yield next(pieces, b"").removeprefix(codecs.BOM_UTF8)
    yield from pieces


def _from_line(pieces: Iterable[bytes], first: int, name: str) -> Iterator[bytes]:
    above = first - 1
    for piece in pieces:
        start = 0
        while above and (end := piece.find(b"\n", start) + 1):
            start, above = end, above - 1
        if not above:
            yield piece[start:]
    if above:
        raise ConfigError(
            f"{name} has no line {first}, where header_row says that its header stands",
            fix="set header_row to the line of the header, or leave it out",
        )


def _from_text(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Without the blank lines in front."""
    is_begun = False
    for piece in pieces:
        rest = piece if is_begun else piece.lstrip(b"\r\n")
        is_begun = is_begun or bool(rest)
        yield rest
