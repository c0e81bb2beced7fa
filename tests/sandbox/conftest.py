"""For the tests of this room: one e-mail platform, one history of the retailer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mail_contract import Contract, ContractClient
from mail_platform import KEY, fill

from khach.environment import PROJECT
from sandbox import control, mailchimp


@pytest.fixture(scope="session")
def contract() -> Contract:
    """The vendor's contract, parsed once."""
    return Contract(PROJECT.parent / "shared" / "specs")


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The running platform: its folder and its address."""
    root = tmp_path_factory.mktemp("sandbox")
    fill(root)
    running = mailchimp.start(root, KEY)
    yield root, running["url"]
    mailchimp.stop(root)


@pytest.fixture
def client(platform: tuple[Path, str], contract: Contract) -> ContractClient:
    """A client whose every exchange is held against the contract."""
    return ContractClient(platform[1], KEY, contract)


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of an XS history, without servers; tests only read it."""
    root = tmp_path_factory.mktemp("history")
    control.advance(root, size="XS")
    return root


@pytest.fixture(scope="session")
def hardness(history: Path) -> dict[str, dict[str, Any]]:
    """What `khach sandbox report` says of the history."""
    return control.report(history)
