"""Fixtures of the modelling tests: parts of the dbt project, since parsing is the slow part."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from shop_story import STORY, build
from tiny_lake import TinyLake

from khach.environment import PROJECT

NOT_MODELS = ("exposures.yml", "data-tests", "target", "logs")


@pytest.fixture(scope="session")
def modelling_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dbt project up to the marts."""
    return part_of_the_project(tmp_path_factory, "marts")


@pytest.fixture(scope="session")
def staging_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dbt project up to staging."""
    return part_of_the_project(tmp_path_factory, "marts", "identity", "intermediate", "seeds")


def part_of_the_project(factory: pytest.TempPathFactory, *without: str) -> Path:
    """A copy of the project that lacks the named folders and files."""
    folder = factory.mktemp("dbt") / "project"
    ignored = shutil.ignore_patterns(*NOT_MODELS, *without)
    shutil.copytree(PROJECT / "dbt_project", folder, ignore=ignored)
    return folder


@pytest.fixture(scope="session")
def marts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyLake]:
    """The whole project built once over the story; building it also runs the data tests."""
    with pytest.MonkeyPatch.context() as patch:
        yield build(tmp_path_factory.mktemp("marts"), patch, STORY)
