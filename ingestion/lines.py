"""Delivered lines as Arrow streams that DuckDB reads: each with its file and number.

DuckDB's own readers number lines only by a window over all of them, and lose good rows beside bad
ones; here memory does not grow with the delivery, and no line is looked at twice (adr/0008).
"""

from __future__ import annotations

import codecs
import mmap
import weakref
from collections.abc import Iterator, Sequence
from itertools import pairwise
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from ingestion import textfiles
from ingestion.contract import SAMPLED_LINES, JsonSample, objects
from ingestion.quarantine import BadRow

if TYPE_CHECKING:
    import duckdb

    from ingestion.delivered import LocalFile

_CHUNK, _LARGE_PAGE = 4 << 20, 2 << 20
_NEWLINE = ord("\n")
_SAMPLED = 16  # lines of each piece; more of each file's first
_SCHEMA = pa.schema(
    [
        ("line", pa.string()),
        ("_file", pa.dictionary(pa.int8(), pa.string())),
        ("_row", pa.int64()),
    ]
)
# Threads that one stream, which decompresses, keeps busy with parsing.
_THREADS_PER_STREAM = 3
# Blocks of a stream that wait or are being parsed. Whoever reads an Arrow stream for DuckDB reads
# ahead of it without end when writing is slower. A limit on memory must not stop the work, so
# patience ends.
_MOST_BLOCKS, _PATIENCE_SECONDS = 8, 30
# Blocks that nobody uses; None = one that has not been made yet.
_Free = SimpleQueue[mmap.mmap | None]


class LineFeed:
    """The lines of some files, read once; `line` is null where it is no text at all.

    `offered` counts newlines in the bytes, before any line is cut out. `unreadable` holds the
    lines that are null, `problem` what ended the reading early, `sample` some lines of each piece.
    """

    def __init__(self, files: Sequence[LocalFile]) -> None:
        self.offered: dict[str, int] = {}
        self.unreadable: dict[tuple[str, int], BadRow] = {}
        self.problem: Exception | None = None
        self.sample = JsonSample()
        self._files = files

    def register(self, connection: duckdb.DuckDBPyConnection) -> str:
        """SQL of the lines, with `_file` and `_row` (1-based); it can be read once."""
        row = connection.execute("select current_setting('threads')").fetchone()
        threads = int(row[0]) if row else 1
        streams = max(1, min(len(self._files), threads // _THREADS_PER_STREAM))
        for number in range(streams):
            batches = self._batches(self._files[number::streams])
            reader = pa.RecordBatchReader.from_batches(_SCHEMA, batches)
            connection.register(f"khach_lines_{number}", reader)
        parts = (f"select line, _file, _row from khach_lines_{n}" for n in range(streams))
        return f"({' union all '.join(parts)})"

    def _batches(self, files: Sequence[LocalFile]) -> Iterator[pa.RecordBatch]:
        free: _Free = SimpleQueue()
        for _ in range(_MOST_BLOCKS):
            free.put(None)
        try:
            for file in files:
                first = 1
                for block, offsets in self._blocks(file, free):
                    batch = self._batch(file.name, first, block, offsets)
                    first += batch.num_rows
                    yield batch
        except Exception as problem:
            self.problem = problem  # DuckDB would wrap it in a message of its own
            raise

    def _blocks(self, file: LocalFile, free: _Free) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The file's bytes in pieces, and where in a piece each of its lines begins and ends."""
        offered, rest, last = 0, b"", b""
        try:
            with textfiles.open_bytes(file.path) as content:
                if content.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
                    content.seek(0)
                while True:
                    block = _memory(len(rest) + _CHUNK, free)
                    view = block.data
                    view[: len(rest)] = rest
                    size = len(rest) + content.readinto(view[len(rest) : len(rest) + _CHUNK])
                    if size == len(rest):
                        break
                    ends = np.flatnonzero(block[:size] == _NEWLINE) + 1
                    offered += len(ends)  # none is in `rest`, which follows the last of a piece
                    last = bytes(view[size - 1 : size])
                    # A line that is too long is refused, so its tail need not be held.
                    end = int(ends[-1]) if len(ends) else 0
                    rest = bytes(view[end : min(size, end + textfiles.LONGEST_LINE + 1)])
                    if len(ends):
                        yield block, np.concatenate(([0], ends))
        except textfiles.DAMAGED:
            raise textfiles.incomplete(file.name) from None
        if rest:
            yield np.frombuffer(bytearray(rest), np.uint8), np.array([0, len(rest)])
        self.offered[file.name] = offered + (last not in (b"", b"\n"))

    def _batch(
        self, name: str, first: int, block: np.ndarray, offsets: np.ndarray
    ) -> pa.RecordBatch:
        count = len(offsets) - 1
        buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(block)]
        lines = pa.Array.from_buffers(pa.string(), count, buffers)
        if not _is_text(lines, offsets):
            is_text = self._blank_unreadable(name, first, block, offsets)
            buffers[0] = pa.py_buffer(np.packbits(is_text, bitorder="little"))
            lines = pa.Array.from_buffers(pa.string(), count, buffers)
        most = _SAMPLED if first > 1 else max(_SAMPLED, SAMPLED_LINES // len(self._files))
        self.sample.add(objects(line or "" for line in lines.slice(0, most).to_pylist()))
        files = pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int8)), [name])
        numbers = pa.array(np.arange(first, first + count, dtype=np.int64))
        return pa.record_batch([lines, files, numbers], schema=_SCHEMA)

    def _blank_unreadable(
        self, name: str, first: int, block: np.ndarray, offsets: np.ndarray
    ) -> np.ndarray:
        """Note and blank in place the lines that are no text; which lines are text."""
        is_text = np.ones(len(offsets) - 1, bool)
        for number, (start, end) in enumerate(pairwise(offsets.tolist())):
            original = block[start:end].tobytes().rstrip(b"\r\n")
            if reason := textfiles.no_text(original):
                self.unreadable[name, first + number] = BadRow(first + number, reason, original)
                block[start:end] = ord(" ")
                is_text[number] = False
        return is_text


def _memory(size: int, free: _Free) -> np.ndarray:
    """Bytes that go back to `free` when the last thread lets go of them.

    Used again they are in the processor's caches; taking new pages costs as much as parsing.
    """
    try:
        memory = free.get(timeout=_PATIENCE_SECONDS)
    except Empty:
        return _bytes_of(_pages(size))
    if memory is None or len(memory) < size:
        memory = _pages(size)
    block = _bytes_of(memory)
    weakref.finalize(block, free.put, memory)
    return block


def _pages(size: int) -> mmap.mmap:
    """Memory outside the allocator's heap, which grows without end when other threads free."""
    whole = -(-size // _LARGE_PAGE) * _LARGE_PAGE
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return mmap.mmap(-1, whole)
    memory = mmap.mmap(-1, whole, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _bytes_of(memory: mmap.mmap) -> np.ndarray:
    return np.frombuffer(memory, np.uint8)


def _is_text(lines: pa.Array, offsets: np.ndarray) -> bool:
    if np.diff(offsets).max(initial=0) > textfiles.LONGEST_LINE:
        return False
    try:
        lines.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
