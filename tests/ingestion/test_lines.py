"""Delivered lines as Arrow streams: what waits for a slow writer stays within its bound."""

import time
import weakref
from pathlib import Path
from typing import Any

import pytest

from ingestion import lines
from ingestion.delivered import LocalFile
from ingestion.lines import LineFeed
from ingestion.parquet import bounded_session


def test_reading_does_not_run_ahead_of_a_slow_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"x" * 99 + b"\n" + 4000 * (b"y" * 99 + b"\n"))
    take, most = lines._memory, [0]
    taken: list[weakref.ref[Any]] = []

    def memory(size: int, free: Any) -> Any:
        block = take(size, free)
        taken[:] = [one for one in taken if one() is not None] + [weakref.ref(block)]
        most[0] = max(most[0], len(taken))
        return block

    def write_slowly(number: int) -> int:
        time.sleep(0.0001)
        return number

    monkeypatch.setattr(lines, "_memory", memory)
    monkeypatch.setattr(lines, "_CHUNK", 4000)
    feed = LineFeed([LocalFile("a.ndjson", path, "")])
    with bounded_session(tmp_path) as connection:
        connection.create_function("write_slowly", write_slowly, ["BIGINT"], "BIGINT")  # type: ignore[list-item]
        found = connection.execute(
            "select count(*), sum(write_slowly(_row)), count(distinct line) "
            f"from {feed.register(connection)}"
        ).fetchone()
    assert found == (4001, 4001 * 4002 // 2, 2)
    assert 1 < most[0] <= lines._MOST_BLOCKS
