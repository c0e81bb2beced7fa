"""The examples in docstrings say what happens."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
ROOMS = ("ingestion", "identity", "khach", "activation", "prediction", "expectations", "sandbox")
MODULES = [
    ".".join(path.relative_to(PROJECT).with_suffix("").parts)
    for room in ROOMS
    for path in sorted((PROJECT / room).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    found = doctest.testmod(import_module(name))
    assert found.attempted
    assert not found.failed
