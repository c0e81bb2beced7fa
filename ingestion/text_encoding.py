"""Encodings of delivered text: told by their marks or by the configuration, turned into UTF-8."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import AfterValidator

from khach.config_mistakes import WrongValueError, suggest
from khach.errors import ConfigError

_COMMON = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "windows-1258", "windows-1252")
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip  # noqa: E501
# What stands for bytes that the encoding does not have: every reader refuses the row with it.
_UNREADABLE = "\x01"
_LONGEST_REST = 1 << 20  # characters without one of ASCII among them
codecs.register_error("khach_unreadable", lambda problem: (_UNREADABLE, problem.end))  # type: ignore[attr-defined]


def _encoding(value: str) -> str:
    try:
        "".encode(value)
        codecs.getincrementaldecoder(value)
    except (LookupError, ValueError):
        fix = suggest(value.lower(), _COMMON)
        raise WrongValueError("is not an encoding that Python knows", fix or "") from None
    return value


Encoding = Annotated[str, AfterValidator(_encoding)]


def encoding_of(head: bytes, declared: str | None) -> str:
    """The encoding of a text by its first bytes, else as declared; a mark is never wrong."""
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    return marked or declared or "utf-8"


def is_utf8(encoding: str) -> bool:
    """Whether a text in this encoding can be read as it is."""
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def as_utf8(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The same text in UTF-8 and composed (NFC): Windows-1258 writes tones as signs of their own.

    Pieces may end anywhere; memory does not grow with the text.
    """
    decoder = codecs.getincrementaldecoder(encoding)("khach_unreadable")
    rest = ""
    for piece in pieces:
        rest += decoder.decode(piece)
        end = _closed(rest)
        yield _composed(rest[:end])
        rest = rest[end:]
    yield _composed(rest + decoder.decode(b"", final=True))


def other_encoding(name: str, sample: bytes) -> ConfigError:
    """What to say of a file that is not UTF-8 and has no declared encoding."""
    if b"\x00" in sample:
        is_little = sample.find(b"\x00") % 2 == 1  # the second byte of a letter of ASCII
        fix = f"encoding: utf-16-{'le' if is_little else 'be'}"
    else:
        fix = "encoding: windows-1258 (Vietnamese), encoding: windows-1252 (Western)"
    return ConfigError(
        f"{name} is not text in UTF-8",
        fix=f"say in its table of sources.yml what it is in ({fix}), or have it exported as UTF-8",
    )


def _closed(text: str) -> int:
    """Where a text can be cut: before its last ASCII character, which composes with none before."""
    end = len(text) - 1
    while end > 0 and text[end] > "\x7f":
        end -= 1
    return len(text) if len(text) - end > _LONGEST_REST else max(end, 0)


def _composed(text: str) -> bytes:
    return unicodedata.normalize("NFC", text).encode()
