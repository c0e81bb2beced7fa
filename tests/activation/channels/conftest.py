"""One process with all platforms for the tests of this room; each test looks at its own part."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from fake_platforms import Platforms

from activation.channels import http
from khach.environment import Environment
from sandbox import channels
from sandbox.channels import lists, store

FAST = http.Retries(attempts=3, first_pause=0.01, longest_pause=1.0, timeout=1.5)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """The platforms' folder, and the variables an operator would set."""
    root = tmp_path_factory.mktemp("platforms")
    keys = channels.new_keys()
    running = channels.start(root, keys)
    yield root, channels.variables(running, keys)
    channels.stop(root)


@pytest.fixture
def platforms(
    served: tuple[Path, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Platforms:
    """Platforms without faults, their variables set, and clients of little patience."""
    root, variables = served
    store.clear_faults(root)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(http, "Retries", lambda: FAST)
    env = Environment("sandbox", tmp_path / "home", tmp_path / "config", tmp_path)
    with closing(store.connect(root)) as connection:
        last = [
            connection.execute(f"select coalesce(max(seq), 0) from {table}").fetchone()[0]
            for table in ("effects", "requests")
        ]
    return Platforms(root, env, variables, *last)


@pytest.fixture
def servers(platforms: Platforms, monkeypatch: pytest.MonkeyPatch) -> Platforms:
    """Platforms whose lists are empty, and clients that wait for a large batch."""
    with closing(store.connect(platforms.root)) as connection:
        lists.prepare(connection)
        for table in ("fates", "list_members", "documents"):
            connection.execute(f"delete from {table}")
    monkeypatch.setattr(http, "Retries", lambda: replace(FAST, longest_pause=0.05, timeout=30))
    return platforms
