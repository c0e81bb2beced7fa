"""Shared fixtures: a blocked network, a temporary installation, optional public data."""

import importlib.util
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from khach.environment import PROJECT, Environment, load_environment

GUARD = Path(__file__).parent / "network_guard"
SPECS = PROJECT.parent / "shared" / "specs"

# The same examples of a property for every change: it fails for what was changed, not for what was
# drawn. At night many more are drawn anew (--hypothesis-profile=nightly). Time says nothing on a
# busy machine; our fixtures are folders, which examples may share.
settings.register_profile("change", max_examples=30, derandomize=True, deadline=None,
                          suppress_health_check=list(HealthCheck))  # fmt: skip
settings.register_profile("nightly", settings.get_profile("change"), max_examples=300,
                          derandomize=False, print_blob=True)  # fmt: skip
settings.load_profile("change")


def pytest_configure() -> None:
    """Block the network here and in every child process before anything is imported."""
    os.environ["PYTHONPATH"] = os.pathsep.join(
        part for part in (str(GUARD), os.environ.get("PYTHONPATH")) if part
    )
    os.environ.setdefault("KHACH_SAMPLES", str(PROJECT.parent / "shared" / "data"))
    spec = importlib.util.spec_from_file_location("network_guard", GUARD / "sitecustomize.py")
    assert spec and spec.loader
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, a module's tests on one worker (its fixtures are made once).

    What needs data that is not beside the checkout is skipped, with the reason in plain words.
    """
    items.sort(key=lambda item: "e2e" not in item.keywords)
    samples = Path(os.environ["KHACH_SAMPLES"])
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
        if "samples" in item.keywords and not samples.is_dir():
            item.add_marker(pytest.mark.skip(reason=f"public sample data absent: {samples}"))
        if "specs" in item.keywords and not SPECS.is_dir():
            item.add_marker(pytest.mark.skip(reason=f"vendors' contract files absent: {SPECS}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A skip must be seen: say once, at the end, what was not tested and why."""
    reasons = {str(r.longrepr[2]) for r in terminalreporter.stats.get("skipped", [])}
    for reason in sorted(reasons):
        terminalreporter.write_line(f"NOT TESTED: {reason}", yellow=True)


@pytest.fixture
def specs() -> Path:
    """The vendors' published contract files."""
    return SPECS


@pytest.fixture
def samples() -> Path:
    """The public sample data sets."""
    return Path(os.environ["KHACH_SAMPLES"])


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An empty installation of environment `dev` in a temporary folder."""
    monkeypatch.setenv("KHACH_ENV", "dev")
    monkeypatch.setenv("KHACH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KHACH_CONFIG", str(tmp_path / "config"))
    (tmp_path / "config").mkdir()
    (tmp_path / "home").mkdir()
    return load_environment()
