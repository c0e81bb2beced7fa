"""A folder that another system empties: the whole list as CSV, with a manifest beside it.

`<sync>.csv` and then `<sync>.manifest.json` (rows, SHA-256, plan) are each written as a temporary
file, flushed to disk and renamed; a reader who checks the manifest's hash never takes a half list.
"""

import csv
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, TextIO

from activation.channels.base import Capabilities, Channel
from activation.consent import PermittedRow
from khach.environment import Environment
from khach.errors import ConfigError, KhachError


class FileDrop(Channel):
    """One local folder."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        consent_channel=None,
        modes=frozenset({"mirror"}),
        remote={"folder": "variable", "format": ("csv",)},
        field_name=re.compile(r"[a-z][a-z0-9_]*"),
        remote_id_sql="identifier_hash",
        batch_size=1_000_000,
        is_whole_file=True,
    )

    def __init__(self, env: Environment, remote: Mapping[str, str]) -> None:
        del env  # a local folder is allowed in every environment
        if "://" in remote["folder"]:
            raise ConfigError("a file drop is a local folder", fix="an absolute path")
        self._folder = Path(remote["folder"])

    def replace(
        self, rows: Sequence[PermittedRow], fields: Sequence[str], sync_id: str, plan_id: str
    ) -> None:
        """Write list and manifest; KhachError when the folder cannot be written."""
        if not all(isinstance(row, PermittedRow) for row in rows):
            raise TypeError("only a PermittedRow may be delivered")
        data, manifest = self._paths(sync_id)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write_atomically(data, lambda handle: _write_rows(handle, rows, fields))
            content = {
                "file": data.name,
                "rows": len(rows),
                "sha256": _digest(data),
                "plan_id": plan_id,
            }
            _write_atomically(manifest, lambda handle: json.dump(content, handle, indent=2))
        except OSError as problem:
            raise KhachError(
                f"the file drop folder cannot be written: {problem.strerror}", file=self._folder
            ) from None

    def holds(self, sync_id: str, plan_id: str) -> bool:
        """Whether list and manifest of that plan stand there, whole."""
        data, manifest = self._paths(sync_id)
        if not (data.is_file() and manifest.is_file()):
            return False
        content = json.loads(manifest.read_text(encoding="utf-8"))
        return content["plan_id"] == plan_id and content["sha256"] == _digest(data)

    def _paths(self, sync_id: str) -> tuple[Path, Path]:
        return self._folder / f"{sync_id}.csv", self._folder / f"{sync_id}.manifest.json"


def _write_rows(handle: TextIO, rows: Sequence[PermittedRow], fields: Sequence[str]) -> None:
    writer = csv.writer(handle)
    writer.writerow(["customer_id", "identifier", *fields])
    for row in sorted(rows, key=lambda row: row.consent.customer_id):
        values = [row.fields[name] for name in fields]
        writer.writerow([row.consent.customer_id, row.identifier, *values])


def _write_atomically(path: Path, write: Callable[[TextIO], object]) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8", newline="") as handle:
        write(handle)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)
    # The rename itself is durable only once the folder is.
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
