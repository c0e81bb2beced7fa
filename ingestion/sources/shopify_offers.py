"""What a page or bulk file of the Admin API offers, counted in its bytes before it is parsed.

A file offers as many rows of a type as its bytes say `"__typename":"<type>"`, which inside a JSON
string would be escaped.
"""

from __future__ import annotations

import json
import mmap
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Offer:
    """A page or bulk file on disk, and how often its bytes name each type of node."""

    label: str
    path: Path
    named: Counter[str]
    fingerprint: str | None = None


def nodes_of(body: bytes) -> list[dict[str, Any]]:
    """The root nodes of an answer."""
    page = json.loads(body)["data"]["page"]
    return [node for node in page["nodes"] if isinstance(node, dict)]


def named_types(path: Path) -> Counter[str]:
    """How often the bytes name each type of node."""
    pattern = re.compile(rb'"__typename"\s*:\s*"([A-Za-z]+)"')
    with path.open("rb") as content:
        if not path.stat().st_size:
            return Counter()
        with mmap.mmap(content.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return Counter(found[1].decode() for found in pattern.finditer(data))


def count_lines(path: Path) -> int:
    """Lines of a file, the last with or without its end."""
    lines, last = 0, b""
    with path.open("rb") as content:
        while chunk := content.read(1 << 20):
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    return lines + (last not in (b"", b"\n"))
