"""Deliveries that are a .zip of one CSV file, as back-ends send them by mail."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from khach.errors import KhachError

_TEXT = (".csv", ".tsv", ".txt")


@contextmanager
def open_member(path: Path, name: str) -> Iterator[IO[bytes]]:
    """The bytes of the one CSV file in a .zip.

    KhachError when it holds something else, is encrypted or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [
                member
                for member in archive.infolist()
                if not member.is_dir() and not member.filename.startswith("__MACOSX/")
            ]
            if len(members) != 1 or not members[0].filename.lower().endswith(_TEXT):
                raise KhachError(
                    f"{name} holds {len(members)} files, not one of {', '.join(_TEXT)}",
                    fix="deliver each file in a .zip of its own, or as it is",
                )
            if members[0].flag_bits & 1:
                raise KhachError(f"{name} is protected by a password", fix="deliver it without one")
            with archive.open(members[0]) as content:
                yield content
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
        raise KhachError(
            f"{name} is not a complete zip file", fix="deliver the file again, then run again"
        ) from None
