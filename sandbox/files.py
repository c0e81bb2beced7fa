"""Small files and folders, there whole or not at all: written beside, then renamed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """`write` makes a file beside `path`, which then takes its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.tmp")
    write(draft)
    draft.replace(path)


def write_folder(path: Path, write: Callable[[Path], object]) -> None:
    """The same for a folder; one that was there before is replaced."""
    draft = path.with_name(f".{path.name}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    write(draft)
    shutil.rmtree(path, ignore_errors=True)
    draft.rename(path)


def write_json(path: Path, document: Any) -> None:
    """Readable JSON."""
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    write_whole(path, lambda draft: draft.write_text(text, encoding="utf-8"))


def write_private(path: Path, text: str) -> None:
    """Text that only the owner may read."""

    def write(draft: Path) -> None:
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(text, encoding="utf-8")

    write_whole(path, write)


def read_json(path: Path) -> Any:
    """The document, or None when there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
