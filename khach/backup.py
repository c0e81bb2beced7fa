"""Backup and restore of what cannot be rebuilt: state and configuration, and the lake's file list.

A backup is one tar.gz: state.duckdb, config/, lake.csv (path, bytes) and backup.json with a SHA-256
of each member. The lake itself is append-only and copied by the operator's own means; its list
tells on restore what is missing.
"""

import csv
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from khach import __version__
from khach.environment import Environment
from khach.errors import KhachError
from khach.lock import run_lock
from khach.runs import utc_now
from khach.state import migrate, open_state

_PREFIX = "khach-"
_SUFFIX = ".tar.gz"


@dataclass(frozen=True)
class Backup:
    """A backup that was written, and how many older ones made room."""

    file: Path
    size: int
    removed: int


@dataclass(frozen=True)
class Restored:
    """What a restore did; `missing` are files of the lake that the backup knew."""

    file: Path
    config_kept_at: Path | None
    state_kept_at: Path | None
    missing: int
    newer: int

    def lines(self) -> list[str]:
        """For the operator's eyes."""
        lines = [f"restored state and configuration from {self.file}"]
        for what, place in (("state", self.state_kept_at), ("config", self.config_kept_at)):
            if place:
                lines.append(f"the {what} that stood here before is kept at {place}")
        if self.missing:
            lines.append(f"{self.missing:,} lake files that the backup knew are missing: bring the "
                         "lake back, too, before the next run")  # fmt: skip
        if self.newer:
            lines.append(f"{self.newer:,} lake files are newer than the backup: the next run "
                         "judges their loads again")  # fmt: skip
        return [*lines, "the warehouse was removed; the next khach run rebuilds it from the lake"]


def make_backup(env: Environment, *, keep: int = 14) -> Backup:
    """Write `$KHACH_HOME/backups/khach-<time>.tar.gz` and keep the newest `keep`.

    Raises BusyError while a run goes on.
    """
    folder = env.home / "backups"
    with run_lock(env, "khach backup"):
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{_PREFIX}{utc_now():%Y%m%dT%H%M%S%f}"[:-3]
        file = file.with_name(file.name + _SUFFIX)
        with _working_folder(folder) as work:
            _copy_state(env, work / "state.duckdb")
            if env.config.is_dir():
                shutil.copytree(env.config, work / "config")
            (work / "lake.csv").write_text(_lake_list(env), encoding="utf-8")
            (work / "backup.json").write_text(_manifest(work), encoding="utf-8")
            partial = work / "archive.partial"
            with tarfile.open(partial, "w:gz", compresslevel=3) as archive:
                for member in ("backup.json", "state.duckdb", "lake.csv", "config"):
                    if (work / member).exists():
                        archive.add(work / member, arcname=member)
            with partial.open("rb") as written:
                os.fsync(written.fileno())
            partial.rename(file)
        doomed = sorted(folder.glob(f"{_PREFIX}*{_SUFFIX}"))[:-keep]
        for old in doomed:
            old.unlink()
    return Backup(file, file.stat().st_size, len(doomed))


def restore_backup(env: Environment, file: Path) -> Restored:
    """Check a backup to the last byte, then put state and configuration in place.

    Raises KhachError when it is damaged or of a newer release, BusyError while a run goes on;
    nothing is changed then.
    """
    if not file.is_file():
        raise KhachError("there is no such backup", file=file)
    with run_lock(env, "khach restore"), _working_folder(env.home) as work:
        _unpack(file, work)
        missing, newer = _compare_lake(env, work / "lake.csv")
        stamp = f"{utc_now():%Y%m%dT%H%M%S}"
        config_kept = _swap(env.config, work / "config", stamp)
        # The warehouse goes first: old models over a restored state would be a mixture.
        for derived in (env.warehouse, Path(f"{env.warehouse}.wal")):
            derived.unlink(missing_ok=True)
        _keep_log(env.state, stamp)
        state_kept = _swap(env.state, work / "state.duckdb", stamp)
    return Restored(file, config_kept, state_kept, missing, newer)


@contextmanager
def _working_folder(parent: Path) -> Iterator[Path]:
    """A folder on the same file system, so that the last step is a rename; always removed."""
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(".backup-*"):
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=".backup-", dir=parent))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _copy_state(env: Environment, target: Path) -> None:
    """A consistent copy through the database itself (no reader of a file that is being written)."""
    with open_state(env) as state:
        file = str(target).replace("'", "''")
        row = state.execute("select current_database()").fetchone()
        state.execute(f"attach '{file}' as backup")
        state.execute(f'copy from database "{row[0] if row else "state"}" to backup')
        state.execute("checkpoint backup")
        state.execute("detach backup")


def _lake_list(env: Environment) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "bytes"))
    for path in sorted(env.lake.rglob("*")) if env.lake.is_dir() else []:
        if path.is_file():
            writer.writerow((path.relative_to(env.lake).as_posix(), path.stat().st_size))
    return text.getvalue()


def _manifest(work: Path) -> str:
    members = {
        path.relative_to(work).as_posix(): _digest(path)
        for path in sorted(work.rglob("*"))
        if path.is_file()
    }
    return json.dumps({"khach": __version__, "made_at": f"{utc_now():%Y-%m-%d %H:%M:%S}",
                       "sha256": members}, indent=1)  # fmt: skip


def _unpack(file: Path, work: Path) -> None:
    try:
        with tarfile.open(file) as archive:
            archive.extractall(work, filter="data")
        known = json.loads((work / "backup.json").read_text(encoding="utf-8"))["sha256"]
        damaged = [name for name, digest in known.items() if _digest(work / name) != digest]
    except (tarfile.TarError, OSError, EOFError, ValueError, KeyError) as problem:
        if isinstance(problem, OSError) and problem.errno is not None and problem.errno > 2:
            raise
        raise KhachError("the backup is damaged; nothing was changed", file=file) from problem
    if damaged or "state.duckdb" not in known:
        raise KhachError(
            f"the backup is damaged ({', '.join(damaged) or 'no state in it'}); "
            "nothing was changed",
            file=file,
        )
    with duckdb.connect(str(work / "state.duckdb")) as connection:
        migrate(connection)
        # What was sent after the backup is not in it: each sync waits for a person.
        connection.execute("insert into restores values (?, 'khach restore')", [utc_now()])


def _compare_lake(env: Environment, listed: Path) -> tuple[int, int]:
    """Files that the backup knew and that are gone or of another size; files it did not know."""
    with listed.open(encoding="utf-8", newline="") as text:
        known = {row["path"]: int(row["bytes"]) for row in csv.DictReader(text)}
    present = (
        {path.relative_to(env.lake).as_posix(): path.stat().st_size
         for path in env.lake.rglob("*") if path.is_file()}
        if env.lake.is_dir() else {}
    )  # fmt: skip
    missing = sum(present.get(path) != size for path, size in known.items())
    return missing, sum(path not in known for path in present)


def _swap(target: Path, fresh: Path, stamp: str) -> Path | None:
    """Put `fresh` in place of `target`, which is kept beside; where it is kept, if it existed."""
    if not fresh.exists():
        return None
    kept = None
    if target.exists():
        kept = _kept_name(target, stamp)
        target.rename(kept)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(fresh, target)
    return kept


def _kept_name(target: Path, stamp: str) -> Path:
    return target.with_name(f"{target.name}.before-restore-{stamp}")


def _keep_log(database: Path, stamp: str) -> None:
    """What a database was told last stands in its write-ahead log alone, which DuckDB looks for
    beside it: it is kept under the name of the kept file. Before the file itself goes, so that no
    new one ever meets it.
    """
    log = Path(f"{database}.wal")
    if log.exists():
        log.rename(f"{_kept_name(database, stamp)}.wal")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
