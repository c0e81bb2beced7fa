"""Many small files of a raw table into few, without a reader seeing a gap (docs/adr/0007).

A compacted file is written beside the old ones, read back and compared with them, then the
manifest that names it replaces the old one in a single step. The files it stands for go when the
next run of the source begins, so that a reader that listed them still finds them. A kill leaves
files that no manifest names; they go then, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import duckdb

from ingestion import lake, verdicts
from ingestion.manifest import (
    FOLDER,
    Entry,
    TableFiles,
    compacted_folder,
    load_of,
    read_manifest,
    rows_of,
    sync,
    table_files,
    write_manifest,
)
from ingestion.parquet import duckdb_session, literal, quote
from khach.errors import BusyError, KhachError
from khach.state import connect

if TYPE_CHECKING:
    from khach.environment import Environment

# The newest loads stay as they landed: the gates compare a delivery with its predecessors.
KEPT_LOADS = 10
BATCH = 32
LARGE_BYTES = 128 * 2**20


@dataclass(frozen=True)
class Compacted:
    """One new file: how many loads, rows and older files it stands for."""

    source: str
    table: str
    loads: int
    rows: int
    files: int


def remove_replaced(env: Environment, source: str) -> None:
    """Delete what the manifests have replaced, and what a kill left without a manifest."""
    raw = lake.raw_folder(env, source)
    for folder in (path for path in (raw / FOLDER).glob("*") if path.is_dir()):
        entries = read_manifest(raw, folder.name)
        named = {entry.file for entry in entries}
        here = {path.name for path in folder.iterdir()}
        for name in here - named:
            (folder / name).unlink()
        present = {entry.load_id for entry in entries if entry.file in here}
        for path in (raw / folder.name).glob("*.parquet"):
            if load_of(path) in present:
                path.unlink()


def compact(env: Environment, source: str, *, at_least: int | None = None) -> list[Compacted]:
    """Put small files together where a table has at least so many; what was written.

    Only accepted loads that every model of the table has processed, and never the newest ones.
    KhachError when a new file does not read back as the old ones: then nothing is replaced.
    """
    at_least = BATCH if at_least is None else at_least
    raw = lake.raw_folder(env, source)
    tables = sorted(lake.tables_present(env, source))
    files = {table: table_files(raw, table) for table in tables}
    if not any(_is_due(found, at_least) for found in files.values()):
        return []
    committed = verdicts.landed_loads(env, source)
    older = set(committed[: max(0, len(committed) - KEPT_LOADS)])
    judged = older - {load for _, load in verdicts.without_verdict(env, source)}
    # What was rejected since the models processed it is not in their tables any more.
    processed = processed_loads(env, source, tables)
    accepted = older & verdicts.accepted(env, source)
    done = []
    for table, found in files.items():
        # No model reads our own tables (`_deliveries`, ...), only the next ingest does.
        own = table.startswith("_")
        loads = judged if own else accepted & processed.get(table, set())
        for chunk in _chunks(found, loads, at_least):
            done.append(_replace(env, source, table, chunk))
    return done


def processed_loads(env: Environment, source: str, tables: list[str]) -> dict[str, set[str]]:
    """For each table, the loads that every model which reads it has processed."""
    rows: list[tuple[str, str | None, str]] = []
    if env.warehouse.exists():
        try:
            with connect(env.warehouse, read_only=True, wait_seconds=0) as warehouse:
                rows = warehouse.execute(
                    "select model, split_part(raw_table, '.', -1), load_id "
                    "from staging.processed_loads where source = ?",
                    [source],
                ).fetchall()
        except (BusyError, duckdb.CatalogException, duckdb.BinderException):
            return {}  # another time
    models = _models(env)
    held: dict[str, dict[str, set[str]]] = {table: {} for table in tables}
    for model, table, load in rows:
        if models is None or model in models:
            held.get(str(table), {}).setdefault(model, set()).add(load)
    return {table: set.intersection(*found.values()) for table, found in held.items() if found}


def _models(env: Environment) -> set[str] | None:
    """The models that dbt knows: one that a release renamed must not hold the lake up."""
    try:
        text = (env.dbt_target / "manifest.json").read_text(encoding="utf-8")
        return {node["name"] for node in json.loads(text)["nodes"].values()}
    except (OSError, ValueError, KeyError):
        return None


def _is_due(files: TableFiles, at_least: int) -> bool:
    """Whether there may be something to do, as far as numbers of files tell."""
    compacted = {entry.file for entry in files.entries}
    return len(files.landed) >= at_least + KEPT_LOADS or len(compacted) >= at_least


@dataclass(frozen=True)
class _Chunk:
    """Files that become one, and the loads in them."""

    landed: list[Path]
    compacted: list[Path]
    loads: set[str]


def _chunks(files: TableFiles, loads: set[str], at_least: int) -> list[_Chunk]:
    """Landed files first; compacted ones again when there are as many small ones."""
    small = {
        load: paths
        for load, paths in files.landed.items()
        if load in loads and sum(path.stat().st_size for path in paths) < LARGE_BYTES
    }
    chunks: list[_Chunk] = []
    for group in _grouped(small, at_least):
        paths = [path for load in group for path in small[load]]
        chunks.append(_Chunk(paths, [], set(group)))
    older: dict[str, list[Path]] = {}
    for entry in files.entries:
        path = files.folder / entry.file
        if path.stat().st_size < LARGE_BYTES:
            older[entry.file] = [path]
    for names in _grouped(older, at_least):
        inside = {entry.load_id for entry in files.entries if entry.file in names}
        chunks.append(_Chunk([], [files.folder / name for name in names], inside))
    return chunks


def _grouped(files: Mapping[str, list[Path]], at_least: int) -> list[list[str]]:
    """Names in order, cut where a group is large; none when there are too few of them."""
    if len(files) < max(at_least, 2):
        return []
    groups: list[list[str]] = [[]]
    size = 0
    for name, paths in files.items():
        if size >= LARGE_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(name)
        size += sum(path.stat().st_size for path in paths)
    return [group for group in groups if len(group) > 1]


def _replace(env: Environment, source: str, table: str, chunk: _Chunk) -> Compacted:
    raw = lake.raw_folder(env, source)
    folder = compacted_folder(raw, table)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{uuid4().hex}.parquet"
    with duckdb_session(env.scratch / f"compact-{source}") as connection:
        before = rows_of(chunk.landed, chunk.compacted, chunk.loads)
        connection.execute(
            f"copy (select * from {before}) to {literal(path)} (format parquet, compression zstd)"
        )
        sync(path)
        old = _digests(connection, before, before)
        new = _digests(connection, f"read_parquet({literal(path)})", before)
    if old != new:
        path.unlink()
        raise KhachError(
            f"source {source}, table {table}: a compacted file does not read back as the files "
            "it was made of; nothing was replaced",
            fix="check the disk, then run again",
        )
    entries = [Entry(load, path.name, *old.get(load, (0, "0"))) for load in chunk.loads] + [
        entry for entry in read_manifest(raw, table) if entry.load_id not in chunk.loads
    ]
    write_manifest(raw, table, entries)
    rows = sum(count for count, _ in old.values())
    files = len(chunk.landed) + len(chunk.compacted)
    return Compacted(source, table, len(chunk.loads), rows, files)


def _digests(
    connection: duckdb.DuckDBPyConnection, relation: str, columns_of: str
) -> dict[str, tuple[int, str]]:
    """Rows, and a digest of their content that no order changes, per load id."""
    described = connection.execute(f"describe select * from {columns_of}").fetchall()
    columns = ", ".join(quote(str(row[0])) for row in described)
    rows = connection.execute(
        f"select _load_id, count(*), sum(hash({columns})) from {relation} group by _load_id"
    ).fetchall()
    return {str(load): (int(count), str(digest)) for load, count, digest in rows}
