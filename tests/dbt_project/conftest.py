"""Fixtures of the modelling tests."""

import shutil
from pathlib import Path

import pytest

from khach.environment import PROJECT


@pytest.fixture(scope="session")
def modelling_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dbt project up to the marts: parsing those too would double the time of each build."""
    folder = tmp_path_factory.mktemp("dbt") / "project"
    shutil.copytree(
        PROJECT / "dbt_project",
        folder,
        ignore=shutil.ignore_patterns("marts", "exposures.yml", "data-tests", "target", "logs"),
    )
    return folder
