"""Whatever happens on the way, staging ends as after one clean load of the final state.

Deliveries of new, changed, deleted and late rows, in any order of names, some delivered twice and
some rewritten; runs that are killed at any call and tried again; loads whose verdict changes.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

SERVER = Path(__file__).parent / "sequence_server.py"
HEADER = "id,name,changed,gone\n"
KEYS, VERSIONS = 6, 6
Version = tuple[int, int]  # of which key, and the how manieth

versions = st.tuples(st.integers(0, KEYS - 1), st.integers(1, VERSIONS))
delivery = st.lists(versions, max_size=8)
actions = st.one_of(
    st.tuples(st.just("deliver"), st.integers(0, 9), delivery),
    st.tuples(st.just("deliver"), st.integers(0, 9), delivery),
    st.tuples(st.just("deliver again"), st.integers(0, 9), st.integers(0, 9)),
    st.tuples(st.just("run")),
    st.tuples(st.just("killed"), st.sampled_from(["ingest", "build"]), st.floats(0, 1)),
    st.tuples(st.just("killed"), st.sampled_from(["ingest", "build"]), st.floats(0, 1)),
    st.tuples(st.just("reject"), st.integers(0, 3)),
    st.tuples(st.just("accept"), st.integers(0, 3)),
)


def is_deletion(version: Version) -> bool:
    """A version has one content, so that the final state is the same to everybody."""
    return sum(version) % 3 == 0


class Server:
    """The child that runs the pipeline's steps; `calls` are those of undisturbed ones."""

    def __init__(self) -> None:
        path = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        self.calls: dict[str, int] = json.loads(self._answer())
        self.killed = 0

    def run(self, home: Path, *steps: tuple[Any, ...], kill_at: int | None = None) -> None:
        assert self._process.stdin
        request = {"home": str(home), "steps": steps, "kill_at": kill_at}
        print(json.dumps(request), file=self._process.stdin, flush=True)
        self.killed += self._answer().strip() == "killed"

    def stop(self) -> None:
        self._process.communicate()

    def _answer(self) -> str:
        assert self._process.stdout
        answer = self._process.stdout.readline()
        assert answer, "the pipeline failed; its error stands above"
        return answer


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.mark.parametrize("examples", [6, pytest.param(400, marks=pytest.mark.nightly)])
def test_any_sequence_ends_like_one_clean_load_of_the_final_state(
    server: Server, tmp_path_factory: pytest.TempPathFactory, examples: int
) -> None:
    @settings(
        max_examples=examples,
        phases=[Phase.generate],  # shrinking takes minutes, and a sequence is short anyhow
    )
    @given(st.lists(actions, min_size=1, max_size=7))
    def check(sequence: list[Any]) -> None:
        home = tmp_path_factory.mktemp("sequence")
        delivered = play(server, home, sequence)
        final: dict[int, int] = {}
        for key, version in delivered:
            final[key] = max(version, final.get(key, 0))
        alive = [pair for pair in final.items() if not is_deletion(pair)]
        write(home / "twin" / "final.csv", alive)
        server.run(home, ("ingest", "shop"), ("ingest", "twin"), ("accept",), *accept_all, BUILD)
        assert staged(home, "twin") == sorted(
            (f"K{key}", f"K{key} as of {version}") for key, version in alive
        )
        assert staged(home, "shop") == staged(home, "twin")

    before = server.killed
    check()
    assert server.killed > before


BUILD = ("build",)
RUN = (("ingest", "shop"), ("accept",), BUILD)
accept_all = [("accept nth", number) for number in range(12)]


def play(server: Server, home: Path, sequence: list[Any]) -> set[Version]:
    """Do what the sequence says; every version that was ever delivered."""
    files: dict[int, list[Version]] = {}
    delivered: set[Version] = set()
    for source in ("shop", "twin"):
        (home / source).mkdir()
    for action, *arguments in sequence:
        if action in ("deliver", "deliver again"):
            name, rows = arguments
            # Again: another file's rows under this name, in another order.
            content = files.get(rows, [])[::-1] if action == "deliver again" else rows
            # A file that is rewritten before it was read is no delivery: what it had stays in it.
            files[name] = [*files.get(name, []), *content]
            delivered |= set(content)
            write(home / "shop" / f"{name}.csv", files[name])
        elif action == "run":
            server.run(home, *RUN)
        elif action == "killed":
            step, part = arguments
            if step == "build":
                server.run(home, *RUN[:-1])
            kill_at = 1 + int(part * server.calls[step])
            server.run(home, next(s for s in RUN if s[0] == step), kill_at=kill_at)
        else:
            server.run(home, (f"{action} nth", *arguments), BUILD)
    return delivered


def write(path: Path, rows: list[Version]) -> None:
    """A delivered file, complete at once."""
    lines = [
        f"K{key},K{key} as of {version},2026-01-{version:02} 00:00:00,"
        f"{'true' if is_deletion((key, version)) else ''}\n"
        for key, version in rows
    ]
    partial = path.with_suffix(".partial")
    partial.write_text(HEADER + "".join(lines))
    partial.replace(path)


def staged(home: Path, source: str) -> list[tuple[Any, ...]]:
    """What readers of staging see of a source."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(
            "select store_id, store_name from staging.stg_entities__stores "
            "where source = ? and not coalesce(_is_deleted, false) order by all",
            [source],
        ).fetchall()
