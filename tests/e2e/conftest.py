"""One simulated retailer (size XS) for all end-to-end tests; each takes copies of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.e2e.installation import Installation

# A dozen runs are made of this retailer: lists with tags, a file, texts and a call list will do.
AUDIENCES = {"birthday_this_month", "cart_abandoners", "first_time_winback", "lapsed_call_list"}


def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all xdist workers of this test session share."""
    base = tmp_path_factory.getbasetemp()
    return base if base.name.startswith("pytest-") else base.parent


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Fourteen days of history at the source systems; nothing was ever ingested."""
    shared = _shared(tmp_path_factory)
    installation = Installation(shared / "untouched")
    with FileLock(shared / "untouched.lock"):
        if not (shared / "untouched.done").exists():
            installation.folder.mkdir()
            installation.khach("init", "--sandbox")
            for file in (installation.config / "audiences").glob("*.yml"):
                if file.stem not in AUDIENCES:
                    file.unlink()
            installation.khach("sandbox", "start", "--size", "XS")
            installation.khach("sandbox", "stop")
            (shared / "untouched.done").touch()
    return installation


@pytest.fixture(scope="session")
def twin(untouched: Installation, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The same retailer after one undisturbed run; whoever changes it takes a copy."""
    shared = _shared(tmp_path_factory)
    installation = Installation(shared / "twin")
    with FileLock(shared / "twin.lock"):
        if not (shared / "twin.done").exists():
            untouched.copy(installation.folder)
            done = installation.khach("run")
            (shared / "twin.out").write_text(done.stdout + done.stderr, encoding="utf-8")
            (shared / "twin.done").touch()
    return installation


@pytest.fixture(scope="session")
def settled(twin: Installation, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The twin after two more runs, which took in what the first had told the e-mail platform.

    An address that a family shares and one of them withdrew comes back as withdrawn by whoever
    subscribed with it, whose own address is told next: only then nothing moves any more.
    """
    shared = _shared(tmp_path_factory)
    installation = Installation(shared / "settled")
    with FileLock(shared / "settled.lock"):
        if not (shared / "settled.done").exists():
            twin.copy(installation.folder)
            installation.khach("run")
            done = installation.khach("run")
            (shared / "settled.out").write_text(done.stdout + done.stderr, encoding="utf-8")
            (shared / "settled.done").touch()
    return installation


@pytest.fixture
def victim(untouched: Installation, tmp_path: Path) -> Iterator[Installation]:
    """A fresh copy of the untouched retailer, its servers stopped afterwards."""
    installation = untouched.copy(tmp_path / "victim")
    yield installation
    installation.khach("sandbox", "stop", expect=None)
