"""A tiny retailer's deliveries, and the shortest way to a configured source."""

from pathlib import Path

import pytest
from landed_data import Configure

from khach.environment import Environment


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where deliveries are put."""
    path = tmp_path / "delivered"
    path.mkdir()
    return path


@pytest.fixture
def configure(env: Environment, folder: Path) -> Configure:
    """Write sources.yml; FOLDER stands for the delivery folder."""

    def write(text: str) -> None:
        env.config.mkdir(parents=True, exist_ok=True)
        (env.config / "sources.yml").write_text(text.replace("FOLDER", str(folder)))

    return write
