"""Delivered files: found by pattern, recognised by content, brought to the local disk."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from khach.errors import BusyError

if TYPE_CHECKING:
    from ingestion.spec import FetchContext, SourceConfig

_OURS = (PermissionError, FileNotFoundError)  # no use in trying again
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


@dataclass(frozen=True)
class Delivered:
    """A file as delivered: its name inside the source's folder, where it is, size and version.

    `store` is the fsspec file system that has it; None for a local file.
    """

    name: str
    path: str
    stamp: str  # size and modification time, or the store's ETag
    store: Any = None


@dataclass(frozen=True)
class LocalFile:
    """A new delivery on the local disk. `fingerprint` is its stamp and the hash of its bytes."""

    name: str
    path: Path
    fingerprint: str


def resolve_folder(config: SourceConfig, folder: str) -> str:
    """`folder` with its `${NAME}` variables filled in; ConfigError when one is not set."""

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if not found:
            raise config.problem(
                f"the environment variable {match[1]} is not set",
                "folder",
                fix=f"export {match[1]}=...",
            )
        return found

    return _VARIABLE.sub(value, folder)


def find_files(config: SourceConfig, folder: str, pattern: str, *keys: str) -> list[Delivered]:
    """The files that match a pattern below a folder (local path or fsspec URL), by name.

    A pattern without wildcards must exist; so must the folder. `keys` is the pattern's place.
    """
    base = resolve_folder(config, folder)
    # What `${NAME}` stands for may be a password: messages name the folder as it is written.
    if "://" in base:
        found = _remote(config, base, pattern, folder)
    else:
        found = _local(config, base, pattern, folder, keys)
    if not found and not set("*?[") & set(pattern):
        raise config.problem(f"{pattern} does not exist in {folder}", *keys)
    return found


def bring_new(context: FetchContext, table: str, files: list[Delivered]) -> list[LocalFile]:
    """The files that are not what they were when they last landed, on the local disk.

    In a backfill all of them: the caller has chosen those that are read again.
    """
    unseen: list[tuple[Delivered, str, Path]] = []
    for file in files:
        known = context.seen.fingerprints.get((table, file.name), "")
        known = "" if context.backfill else known
        if known.rpartition(":")[0] != file.stamp:
            local = _download(context, file) if file.store else Path(file.path)
            unseen.append((file, known, local))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        digests = list(pool.map(_digest, [local for *_, local in unseen]))
    return [
        LocalFile(file.name, local, f"{file.stamp}:{digest}")
        for (file, known, local), digest in zip(unseen, digests, strict=True)
        # The same bytes delivered again under a new date are no new delivery.
        if known.rpartition(":")[2] != digest
    ]


def assert_unchanged(files: list[LocalFile]) -> None:
    """BusyError when a local delivery changed while it was read: its hash would be a lie."""
    for file in files:
        stamp, _, digest = file.fingerprint.rpartition(":")
        if _stamp(file.path) != stamp and _digest(file.path) != digest:
            raise BusyError(
                f"{file.name} is still being written",
                fix="deliver under another name and rename when complete, then run again",
            )


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _stamp(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size}:{status.st_mtime_ns}"


def _local(
    config: SourceConfig, base: str, pattern: str, written: str, keys: tuple[str, ...]
) -> list[Delivered]:
    folder = Path(base).expanduser()
    if not folder.is_dir():
        raise config.problem(f"the folder {written} does not exist", "folder")
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise config.problem("give a pattern below the folder", *keys)
    return [
        Delivered(path.relative_to(folder).as_posix(), str(path), _stamp(path))
        for path in sorted(folder.glob(pattern))
        if path.is_file()
    ]


def _remote(config: SourceConfig, base: str, pattern: str, folder: str) -> list[Delivered]:
    import fsspec

    try:
        store, root = fsspec.core.url_to_fs(base)
        store.invalidate_cache()
        root = root.rstrip("/")
        infos = store.glob(f"{root}/{pattern}", detail=True)
        if not infos and not store.isdir(root):
            raise FileNotFoundError
    except Exception as problem:  # noqa: BLE001 - its own words may hold the address, password and all
        if isinstance(problem, OSError) and not isinstance(problem, _OURS):
            raise BusyError(f"cannot list {folder}: {type(problem).__name__}") from None
        raise config.problem(
            f"cannot list {folder}: {type(problem).__name__}",
            "folder",
            fix="check that the address and the credentials are right, and that the folder exists",
        ) from None
    return [
        Delivered(
            path.removeprefix(root + "/"),
            path,
            f"{info['size']}:{_version(info)}",
            store,
        )
        for path, info in sorted(infos.items())
        if info["type"] == "file"
    ]


def _version(info: dict[str, object]) -> str:
    keys = ("ETag", "etag", "mtime", "LastModified", "last_modified", "created")
    found = next((str(info[key]) for key in keys if info.get(key)), "")
    return found.strip('"').replace(":", "-")


def _download(context: FetchContext, file: Delivered) -> Path:
    # Numbered, so that two folders may hold files of one name.
    number = hashlib.sha256(file.path.encode()).hexdigest()[:12]
    target = context.staging / "downloads" / f"{number}-{Path(file.name).name}"
    target.parent.mkdir(exist_ok=True)
    try:
        file.store.get_file(file.path, str(target))
    except Exception as problem:  # as above
        if isinstance(problem, OSError) and problem.errno in _FULL:
            raise
        raise BusyError(f"cannot fetch {file.name}: {type(problem).__name__}") from None
    return target
