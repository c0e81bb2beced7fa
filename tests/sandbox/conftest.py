"""One e-mail platform for the tests of this room, filled by two simulated days."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from contract_client import Contract, ContractClient
from mail_platform import KEY, fill

from khach.environment import PROJECT
from sandbox import mailchimp


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
