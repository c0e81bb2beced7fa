"""A file that is one JSON array, as lines of JSON: what web back-ends export as .json."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

from ingestion.parquet import duckdb_session, literal
from khach.errors import KhachError

_LONGEST_ITEM = 100_000_000  # bytes
_TAIL = 4096


def is_array(head: bytes) -> bool:
    """Whether a JSON file begins as an array does, by its first bytes."""
    return head.lstrip()[:1] == b"["


def write_lines(array: Path, target: Path, name: str) -> None:
    """Each item of an array in UTF-8 as a line; memory does not grow with the file.

    KhachError when it is not one complete array: where it is broken nobody knows what is an item.
    """
    broken = KhachError(
        f"{name} is not one complete JSON array", fix="deliver the file again, then run again"
    )
    if _end(array) != b"]":  # DuckDB takes a file that is cut off behind a comma for a whole one
        raise broken
    # A line end between the parts of an item says nothing; within a text JSON has none.
    items = (
        r"select regexp_replace(json, '[\r\n]+', ' ', 'g') as line from read_json_objects("
        f"{literal(array)}, format='array', compression='uncompressed', "
        f"maximum_object_size={_LONGEST_ITEM})"
    )
    with duckdb_session(target.parent) as connection, target.open("wb") as out:
        try:
            for batch in connection.execute(items).to_arrow_reader(10_000):
                out.writelines(f"{line}\n".encode() for line in batch.column(0).to_pylist())
        except duckdb.Error:  # its message may hold values
            raise broken from None


def _end(path: Path) -> bytes:
    """The last byte that is no space."""
    with path.open("rb") as content:
        content.seek(-min(_TAIL, path.stat().st_size), os.SEEK_END)
        return content.read().rstrip()[-1:]
