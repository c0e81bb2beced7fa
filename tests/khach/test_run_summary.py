"""What the end of a run says when the run did not come to its end."""

import io
from typing import Any

import pytest
from rich.console import Console

from khach.cli.summary import draw_gates, draw_people

SNAPSHOT = {"run_id": "r1", "as_of": "2026-06-29 19:00:00", "customers": 7, "lifecycle": [],
            "segments": []}  # fmt: skip


def _drawn(draw: Any, *arguments: Any) -> str:
    console = Console(file=io.StringIO(), width=200)
    draw(console, *arguments)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_run_that_reached_no_gate_does_not_say_that_all_passed() -> None:
    gates = {"checks": 0, "passed": 0, "failed": 0, "warnings": 0, "not_passed": []}
    said = _drawn(draw_gates, {"gates": gates, "run": {"run_id": "r2"}})
    assert "none was reached" in said
    assert "passed" not in said


@pytest.mark.parametrize(("run_id", "is_told"), [("r1", False), ("r2", True)])
def test_figures_of_an_earlier_snapshot_are_told_as_such(run_id: str, is_told: bool) -> None:
    said = _drawn(draw_people, {"snapshot": SNAPSHOT, "run": {"run_id": run_id}}, None)
    assert "7 customers found" in said
    assert ("as of 2026-06-29 19:00:00 UTC, published before" in said) == is_told
