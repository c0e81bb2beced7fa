"""A folder that another system empties: the whole list as one file, with a manifest beside it.

`<sync>.<format>` and then `<sync>.manifest.json` (rows, SHA-256, plan) are each written under a
temporary name, flushed to disk and renamed; a reader who checks the manifest's hash never takes a
half list.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from activation.channels.base import Channel
from activation.channels.capabilities import Capabilities
from activation.channels.tables import (
    FIELD_NAME,
    FORMATS,
    SUFFIXES,
    describe,
    digest,
    write_members,
)
from activation.consent import PermittedRow
from khach.environment import Environment
from khach.errors import ConfigError, KhachError


class FileDrop(Channel):
    """One local folder."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        consent_channel=None,
        modes=frozenset({"mirror"}),
        remote={"folder": "variable", "format": FORMATS},
        field_name=FIELD_NAME,
        remote_id_sql="identifier_hash",
        batch_size=1_000_000,
        is_whole_file=True,
    )

    def __init__(self, env: Environment, remote: Mapping[str, str]) -> None:
        del env  # a local folder is allowed in every environment
        if "://" in remote["folder"]:
            raise ConfigError("a file drop is a local folder", fix="an absolute path")
        self._folder = Path(remote["folder"])
        self._format = remote["format"]

    def replace(
        self, rows: Sequence[PermittedRow], fields: Sequence[str], sync_id: str, plan_id: str
    ) -> None:
        """Write list and manifest; KhachError when the folder cannot be written."""
        data, manifest = self._paths(sync_id)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write_atomically(data, lambda path: write_members(path, self._format, rows, fields))
            content = describe(data, data.name, self._format, len(rows), plan_id).as_dict()
            told = json.dumps(content, indent=2)
            _write_atomically(manifest, lambda path: path.write_text(told, encoding="utf-8"))
            # A list left in another format would keep people who have withdrawn since.
            for suffix in set(SUFFIXES.values()) - {data.suffix}:
                data.with_suffix(suffix).unlink(missing_ok=True)
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
        return content["plan_id"] == plan_id and content["sha256"] == digest(data)

    def _paths(self, sync_id: str) -> tuple[Path, Path]:
        data = self._folder / f"{sync_id}{SUFFIXES[self._format]}"
        return data, self._folder / f"{sync_id}.manifest.json"


def _write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    write(temporary)
    _flush(temporary)
    temporary.replace(path)
    # The rename itself is durable only once the folder is.
    _flush(path.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
