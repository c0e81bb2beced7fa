"""Which files of a raw table stand for which loads, once small files were put together.

`raw_<source>/_compacted/<table>.json` is a JSON list of one entry per load, replaced in one step;
its files lie in `raw_<source>/_compacted/<table>/` and carry each row's load id in `_load_id`. A
load that stands in the manifest is read from there and nowhere else; every other load from
`<table>/<load_id>.<file_id>.parquet`. dbt reads the manifest by the same rule (raw_files.sql).
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from ingestion.parquet import literal

FOLDER = "_compacted"


@dataclass(frozen=True)
class Entry:
    """A load of a table in a compacted file; `digest` is of its rows, whatever their order."""

    load_id: str
    file: str
    rows: int
    digest: str


@dataclass(frozen=True)
class TableFiles:
    """The files of one raw table: as they landed (by load id), and compacted."""

    landed: dict[str, list[Path]]
    entries: list[Entry]
    folder: Path

    def compacted(self, loads: Collection[str]) -> list[Path]:
        """The compacted files that some of the loads are in."""
        names = {entry.file for entry in self.entries if entry.load_id in loads}
        return [self.folder / name for name in sorted(names)]


def compacted_folder(raw: Path, table: str) -> Path:
    """Where a table's compacted files are."""
    return raw / FOLDER / table


def compacted_tables(raw: Path) -> set[str]:
    """The tables that have compacted files."""
    return {path.stem for path in (raw / FOLDER).glob("*.json")}


def load_of(path: Path) -> str:
    """The load id in a landed file's name, <load_id>.<file_id>.parquet; an id has a dot in it."""
    return path.name.removesuffix(".parquet").rpartition(".")[0]


def read_manifest(raw: Path, table: str) -> list[Entry]:
    """The loads that are in compacted files; none without a manifest."""
    try:
        text = (raw / FOLDER / f"{table}.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [Entry(**entry) for entry in json.loads(text)]


def write_manifest(raw: Path, table: str, entries: list[Entry]) -> None:
    """Replace the manifest in one step: a reader sees the old one or the new one."""
    path = raw / FOLDER / f"{table}.json"
    ordered = sorted(entries, key=lambda entry: float(entry.load_id))
    lines = ",\n".join(json.dumps(asdict(entry)) for entry in ordered)
    partial = path.with_suffix(".partial")
    partial.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    sync(partial)
    partial.replace(path)
    sync(path.parent)


def table_files(raw: Path, table: str) -> TableFiles:
    """What readers see of a table now; files that a manifest has replaced are left out."""
    entries = read_manifest(raw, table)
    replaced = {entry.load_id for entry in entries}
    landed: dict[str, list[Path]] = {}
    for path in sorted((raw / table).glob("*.parquet")):
        if (load := load_of(path)) not in replaced:
            landed.setdefault(load, []).append(path)
    return TableFiles(landed, entries, compacted_folder(raw, table))


def rows_of(landed: Collection[Path], compacted: Collection[Path], loads: Collection[str]) -> str:
    """SQL of the rows of some loads in landed and compacted files, with their `_load_id`."""
    parts = []
    if landed:
        name = "regexp_extract(parse_filename(filename), '(.+)[.][^.]+[.]parquet$', 1)"
        parts.append(
            f"select * exclude (filename), {name} as _load_id from read_parquet({_list(landed)}, "
            f"union_by_name=true, filename=true) where {name} in {_tuple(loads)}"
        )
    if compacted:
        parts.append(
            f"select * from read_parquet({_list(compacted)}, union_by_name=true) "
            f"where _load_id in {_tuple(loads)}"
        )
    return f"({' union all by name '.join(parts)})"


def sync(path: Path) -> None:
    """Have a file or folder on the disk before anything that relies on it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _list(paths: Collection[Path]) -> str:
    return f"[{', '.join(literal(path) for path in paths)}]"


def _tuple(loads: Collection[str]) -> str:
    return f"({', '.join(literal(load) for load in sorted(loads))})"
